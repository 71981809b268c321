import type { Diagnosis, Group } from '../../model/diagnosis.ts';
import { at, diagnosis, evidence, handshake, segment } from './build.ts';

const CLIENT = { address: '198.51.100.7', port: 50_204 };
const SERVER = { address: '192.0.2.10', port: 443 };

/** The clock of server.pcap is 1.734 s ahead. */
const AHEAD = 1.734;

const lostAtClient = handshake(
  CLIENT,
  SERVER,
  [
    segment('syn', 'to-server', 12, 0, { tsval: 100, ipId: 51 }),
    segment('syn', 'to-server', 15, 1.0241, { repeat: 1, tsval: 1124, ipId: 52 }),
    segment('syn', 'to-server', 22, 3.0402, { repeat: 2, tsval: 3140, ipId: 53 }),
  ],
  { outcome: 'no-reply', stage: 'syn' },
);

const lostAtServer = handshake(
  CLIENT,
  SERVER,
  [
    segment('syn', 'to-server', 88, AHEAD + 0.0051, { tsval: 100, ipId: 51, ttl: 57 }),
    segment('syn-ack', 'to-client', 89, AHEAD + 0.0052, { tsval: 900, ipId: 0 }),
    segment('syn', 'to-server', 140, AHEAD + 1.0292, { repeat: 1, tsval: 1124, ipId: 52, ttl: 57 }),
    segment('syn-ack', 'to-client', 141, AHEAD + 1.0293, { repeat: 1, tsval: 1924, ipId: 0 }),
    segment('syn', 'to-server', 201, AHEAD + 3.0453, { repeat: 2, tsval: 3140, ipId: 53, ttl: 57 }),
    segment('syn-ack', 'to-client', 202, AHEAD + 3.0454, { repeat: 2, tsval: 3940, ipId: 0 }),
  ],
  { outcome: 'half-open', stage: 'syn-ack' },
);

const answerLostDiagnosis: Diagnosis = diagnosis(
  lostAtClient,
  'The answer gets lost on the way back: server.pcap shows 3 SYN-ACKs, client.pcap none of them.',
  {
    evidence: [
      evidence('3 of 3 SYNs of client.pcap are in server.pcap, 5.1 ms later', 'client.pcap #12, server.pcap #88', {
        weight: 'conclusive',
      }),
      evidence('3 SYN-ACKs left the server, the first after 0.1 ms', 'server.pcap #89 #141 #202', {
        weight: 'conclusive',
      }),
      evidence('0 of these 3 SYN-ACKs are in client.pcap', 'client.pcap', { weight: 'conclusive' }),
    ],
    ruledOut: [
      { id: 'server-silent', statement: 'the server answered each SYN within 0.1 ms' },
      { id: 'capture-loss', statement: 'client.pcap shows 11 other SYN-ACKs of the same server and reports 0 drops' },
    ],
    nextSteps: [
      {
        statement: 'See which way the answers take from the server:',
        command: ['traceroute', '-T', '-p', '50204', '198.51.100.7'],
      },
    ],
    path: {
      location: 'answer-lost',
      sentence: 'SYN #12 arrived as #88; SYN-ACK #89 left the server and is not in client.pcap.',
      frames: [
        { capture: 'client.pcap', frame: 12 },
        { capture: 'server.pcap', frame: 88 },
        { capture: 'server.pcap', frame: 89 },
      ],
      confidence: 'certain',
      between: ['server.pcap', 'client.pcap'],
      match: 'same addresses, ports and initial sequence number',
    },
    vantages: [
      { capture: 'client.pcap', handshake: lostAtClient },
      { capture: 'server.pcap', handshake: lostAtServer },
    ],
  },
);

/** The SYN-ACKs leave the server and are lost on the way back. */
export const answerLost: Group = {
  sentence: 'The answers of 192.0.2.10:443 get lost on the way back: 1 attempt from 1 client.',
  kind: 'alike',
  server: SERVER,
  outcome: 'no-reply',
  location: 'answer-lost',
  count: 1,
  clients: 1,
  firstNs: at(0),
  lastNs: at(3.0402),
  examples: [answerLostDiagnosis],
};

const INSIDE = { address: '192.0.2.10', port: 8443 };
const NATTED = { address: '203.0.113.200', port: 1027 };
const FIREWALL_IN = 'captures/site-a/firewall-inside.pcapng';
const FIREWALL_OUT = 'captures/site-a/firewall-outside.pcapng';

const resetFinding = {
  id: 'reset-by-middlebox',
  statement: 'The RST did not come from the server.',
  frames: [7],
} as const;

const atClient = handshake(
  { address: '10.20.30.40', port: 51_000 },
  INSIDE,
  [
    segment('syn', 'to-server', 6, 0, { tsval: 5, ipId: 9 }),
    segment('rst', 'to-client', 7, 0.0021, { ttl: 63, ipId: 1 }),
  ],
  { outcome: 'refused', stage: 'syn', findings: [resetFinding] },
);

const atInside = handshake(
  { address: '10.20.30.40', port: 51_000 },
  INSIDE,
  [
    segment('syn', 'to-server', 700, 0.0009, { tsval: 5, ipId: 9, ttl: 63 }),
    segment('rst', 'to-client', 701, 0.0012, { ttl: 64, ipId: 1 }),
  ],
  { outcome: 'refused', stage: 'syn' },
);

const atOutside = handshake(
  NATTED,
  INSIDE,
  [
    segment('syn', 'to-server', 655, 0.0011, { tsval: 5, ipId: 9, ttl: 62 }),
    segment('syn-ack', 'to-client', 660, 0.0089, { tsval: 77, ttl: 55 }),
    segment('rst', 'to-server', 661, 0.009, { ttl: 255, ipId: 2 }),
  ],
  { outcome: 'abandoned', stage: 'syn-ack' },
);

const middleboxDiagnosis: Diagnosis = diagnosis(
  atClient,
  'The firewall refuses the attempt itself: RST #701 begins between firewall-inside.pcapng and firewall-outside.pcapng.',
  {
    evidence: [
      evidence(
        'RST #7 is in firewall-inside.pcapng as #701 and not in firewall-outside.pcapng',
        `${FIREWALL_IN} #701`,
        {
          weight: 'conclusive',
        },
      ),
      evidence('The server answered with SYN-ACK #660 after the RST had been sent', `${FIREWALL_OUT} #660`),
    ],
    path: {
      location: 'refused-by-middlebox',
      sentence: 'RST #701 has no counterpart at the outside of the firewall.',
      frames: [{ capture: FIREWALL_IN, frame: 701 }],
      confidence: 'likely',
      between: [FIREWALL_IN, FIREWALL_OUT],
      match: 'same ISN; source address translated',
    },
    vantages: [
      { capture: 'captures/site-a/client.pcapng', handshake: atClient },
      { capture: FIREWALL_IN, handshake: atInside },
      { capture: FIREWALL_OUT, handshake: atOutside },
    ],
  },
);

/** A reset that begins at a firewall, with NAT. */
export const middleboxReset: Group = {
  sentence: 'A firewall refuses 192.0.2.10:8443: 1 attempt from 1 client.',
  kind: 'alike',
  server: INSIDE,
  outcome: 'refused',
  location: 'refused-by-middlebox',
  count: 1,
  clients: 1,
  firstNs: at(0),
  lastNs: at(0.0021),
  examples: [middleboxDiagnosis],
};

const SIX_CLIENT = { address: '2001:db8:1::2', port: 50_204 };
const SIX_SERVER = { address: '2001:db8:2::2', port: 443 };

function syns(frames: readonly [number, number, number], delay: number): ReturnType<typeof handshake> {
  return handshake(
    SIX_CLIENT,
    SIX_SERVER,
    [0, 1.031, 3.047].map((seconds, repeat) =>
      segment('syn', 'to-server', frames[repeat] ?? 0, seconds + delay, {
        repeat,
        tsval: 1 + Math.round(seconds * 1000),
      }),
    ),
    { outcome: 'no-reply', stage: 'syn' },
  );
}

const seenAtBoth = { client: syns([3, 5, 9], 0), server: syns([31, 44, 60], 0.012) };

/** Every SYN arrives, nothing is sent back. */
export const serverSilent: Group = {
  sentence: '[2001:db8:2::2]:443 gets the SYNs and sends nothing back: 1 attempt from 1 client.',
  kind: 'alike',
  server: SIX_SERVER,
  outcome: 'no-reply',
  location: 'server-silent',
  count: 1,
  clients: 1,
  firstNs: at(0),
  lastNs: at(3.047),
  examples: [
    diagnosis(seenAtBoth.client, 'The SYNs reach [2001:db8:2::2]:443, and its host sends nothing back.', {
      evidence: [evidence('3 of 3 SYNs are in server.pcapng, 12 ms later', 'server.pcapng #31 #44 #60')],
      nextSteps: [
        {
          statement: 'Ask the server why it stays silent:',
          command: ['synscope', 'listen', '443', '--from', '2001:db8:1::2'],
        },
      ],
      path: {
        location: 'server-silent',
        sentence: 'SYN #3 arrived as #31; server.pcapng shows no answer.',
        frames: [
          { capture: 'client.pcapng', frame: 3 },
          { capture: 'server.pcapng', frame: 31 },
        ],
        confidence: 'certain',
      },
      vantages: [
        { capture: 'client.pcapng', handshake: seenAtBoth.client },
        { capture: 'server.pcapng', handshake: seenAtBoth.server },
      ],
    }),
  ],
};
