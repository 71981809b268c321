import type { Diagnosis, Group } from '../../model/diagnosis.ts';
import { at, diagnosis, evidence, handshake, segment } from './build.ts';

const WEB = { address: '2001:db8:2::2', port: 443 };

const silent: Diagnosis = diagnosis(
  handshake(
    { address: '2001:db8:1::2', port: 50_204 },
    WEB,
    [
      segment('syn', 'to-server', 12, 0, { tsval: 100 }),
      segment('syn', 'to-server', 19, 1.0312, { repeat: 1, tsval: 1131 }),
      segment('syn', 'to-server', 27, 3.0472, { repeat: 2, tsval: 3147 }),
      segment('syn', 'to-server', 41, 7.0793, { repeat: 3, tsval: 7179 }),
    ],
    { outcome: 'no-reply', stage: 'syn' },
  ),
  '[2001:db8:2::2]:443 does not answer 2001:db8:1::2 port 50204: 4 SYNs in 7.08 s, nothing came back.',
  {
    evidence: [
      evidence(
        '4 SYNs with the same sequence number left at 0, 1.03, 3.05 and 7.08 s',
        'client.pcapng #12 #19 #27 #41',
        {
          weight: 'conclusive',
        },
      ),
      evidence('No SYN-ACK, RST or ICMP error for this attempt is in the capture', 'client.pcapng', {
        weight: 'conclusive',
      }),
      evidence('0 of 1 attempts to this server got an answer in 64.2 s', 'client.pcapng', { weight: 'moderate' }),
    ],
    ruledOut: [
      { id: 'port-closed', statement: 'a closed port would answer with a RST; none came' },
      { id: 'client-firewall-output', statement: 'the SYN is in the capture, so it left the host of the client' },
    ],
    suspects: [
      { id: 'no-return-route', status: 'possible' },
      { id: 'accept-queue-full', status: 'possible' },
    ],
    undetermined: [
      {
        id: 'lost-before-server',
        reason: 'One capture cannot tell whether the SYN reached the server.',
        hint: 'capture at the server as well and compare',
      },
    ],
    nextSteps: [
      {
        statement: 'Capture at the server while the client tries again:',
        command: ['tcpdump', '-i', 'any', '-w', 'server.pcapng', 'tcp port 443 or icmp6'],
      },
      {
        statement: 'Then see on which side the SYN gets lost:',
        command: ['synscope', 'compare', 'client.pcapng', 'server.pcapng'],
      },
      { statement: 'Ask whoever runs the firewall for drops of 2001:db8:1::2 toward port 443.' },
    ],
  },
);

/** One client, four SYNs, silence. */
export const silentGroup: Group = {
  sentence: '[2001:db8:2::2]:443 does not answer: 1 attempt from 1 client stayed without a reply.',
  kind: 'alike',
  server: WEB,
  outcome: 'no-reply',
  count: 1,
  clients: 1,
  firstNs: at(0),
  lastNs: at(7.0793),
  examples: [silent],
};

const API = { address: '192.0.2.10', port: 8443 };

const refused: Diagnosis = diagnosis(
  handshake(
    { address: '198.51.100.7', port: 40_210 },
    API,
    [
      segment('syn', 'to-server', 301, 2, { ipId: 4711 }),
      segment('rst', 'to-client', 302, 2.000_21, { ttl: 254, ipId: 1 }),
    ],
    {
      outcome: 'refused',
      stage: 'syn',
      findings: [
        {
          id: 'reset-by-middlebox',
          statement: 'The RST has TTL 254; packets of 192.0.2.10 arrive with 53: something nearer sent it.',
          frames: [302],
        },
      ],
    },
  ),
  'A middlebox refuses 192.0.2.10:8443: the RST came after 0.21 ms with TTL 254, the server’s packets have TTL 53.',
  {
    cause: {
      id: 'middlebox-reset',
      status: 'likely',
      title: 'A middlebox resets the connection',
      sentence: 'Something between client and server answers the SYN with a RST.',
    },
    evidence: [
      evidence('RST #302 has TTL 254; 318 other packets of 192.0.2.10 have TTL 53', 'client.pcapng #302'),
      evidence(
        'RST came 0.21 ms after the SYN; the median round trip to 192.0.2.10 is 18.4 ms',
        'client.pcapng #301 #302',
      ),
      evidence('The server also sends RSTs of its own', 'client.pcapng #77', {
        bearing: 'contradicts',
        weight: 'weak',
      }),
    ],
    remedies: [
      {
        id: 'allow-in-firewall',
        title: 'Allow port 8443 in the firewall',
        risk: 'medium',
        changes: [],
        commands: ['nft insert rule inet fw forward tcp dport 8443 accept'],
      },
    ],
  },
);

/** Many clients that a middlebox refuses. */
export const refusedGroup: Group = {
  sentence: 'A middlebox refuses 192.0.2.10:8443: 128 attempts from 31 clients got a RST with TTL 254.',
  kind: 'alike',
  server: API,
  outcome: 'refused',
  causeId: 'middlebox-reset',
  count: 128,
  clients: 31,
  firstNs: at(2),
  lastNs: at(60),
  examples: [refused],
};

const DB = { address: '203.0.113.80', port: 5432 };

const unreachable: Diagnosis = diagnosis(
  handshake(
    { address: '198.51.100.7', port: 40_300 },
    DB,
    [
      segment('syn', 'to-server', 410, 5),
      segment('icmp', 'to-client', 411, 5.0124, {
        icmp: {
          version: 4,
          type: 3,
          code: 13,
          from: '203.0.113.1',
          name: 'Communication Administratively Prohibited',
        },
      }),
    ],
    { outcome: 'unreachable', stage: 'syn' },
  ),
  'Router 203.0.113.1 forbids 203.0.113.80:5432: ICMP "Communication Administratively Prohibited" after 12.4 ms.',
);

/** One attempt that a router rejects. */
export const routerGroup: Group = {
  sentence: 'Router 203.0.113.1 forbids 203.0.113.80:5432 (ICMP 3/13): 1 attempt from 1 client.',
  kind: 'alike',
  server: DB,
  outcome: 'unreachable',
  count: 1,
  clients: 1,
  firstNs: at(5),
  lastNs: at(5.0124),
  examples: [unreachable],
};

const MAIL = { address: '2001:db8:ffff:ffff:ffff:ffff:ffff:fffe', port: 65_535 };

const halfOpen: Diagnosis = diagnosis(
  handshake(
    { address: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', port: 49_152 },
    MAIL,
    [
      segment('syn', 'to-server', 500, 8),
      segment('syn-ack', 'to-client', 501, 8.0201),
      segment('ack', 'to-server', 502, 8.0202),
      segment('data', 'to-server', 503, 8.0209, { payloadBytes: 517 }),
      ...[1, 2, 3, 4, 5, 6].flatMap((repeat) => [
        segment('data', 'to-server', 508 + repeat * 3, 8.2 + 2 ** repeat * 0.2, { payloadBytes: 517, repeat }),
        segment('syn-ack', 'to-client', 509 + repeat * 3, 8.02 + 2 ** repeat * 0.5, { repeat }),
        segment('ack', 'to-server', 510 + repeat * 3, 8.021 + 2 ** repeat * 0.5, { repeat }),
      ]),
    ].sort((a, b) => Number(a.timeNs - b.timeNs)),
    { outcome: 'half-open', stage: 'ack', omittedSegments: 3 },
  ),
  'The server does not take the final ACK: it repeats its SYN-ACK 6 times although the client acknowledged each.',
);

/** One attempt that the client believes established. */
export const halfOpenGroup: Group = {
  sentence: `[${MAIL.address}]:65535 does not take the final ACK: 1 attempt from 1 client.`,
  kind: 'alike',
  server: MAIL,
  outcome: 'half-open',
  count: 1,
  clients: 1,
  firstNs: at(8),
  lastNs: at(40),
  examples: [halfOpen],
};

/** A SYN flood from many addresses. */
export const floodGroup: Group = {
  sentence: 'SYN flood on 192.0.2.77:80: 4,096 SYNs from 4,001 addresses in 2.1 s, none was completed.',
  kind: 'syn-flood',
  server: { address: '192.0.2.77', port: 80 },
  outcome: 'no-reply',
  count: 4096,
  clients: 4001,
  firstNs: at(30),
  lastNs: at(32.1),
  examples: [
    diagnosis(
      handshake(
        { address: '10.1.2.3', port: 1024 },
        { address: '192.0.2.77', port: 80 },
        [segment('syn', 'to-server', 9001, 30)],
        { outcome: 'no-reply', stage: 'syn' },
      ),
      '192.0.2.77:80 does not answer 10.1.2.3 port 1024: 1 SYN, nothing came back.',
    ),
  ],
};

/** One address that tries one port after the other. */
export const scanGroup: Group = {
  sentence: '203.0.113.66 scans 192.0.2.10: 1,103 ports in 11 s, none of them answers.',
  kind: 'port-scan',
  server: { address: '192.0.2.10' },
  outcome: 'no-reply',
  count: 1103,
  clients: 1,
  firstNs: at(10),
  lastNs: at(21),
  examples: [
    diagnosis(
      handshake(
        { address: '203.0.113.66', port: 55_555 },
        { address: '192.0.2.10', port: 1 },
        [segment('syn', 'to-server', 600, 10)],
        { outcome: 'no-reply', stage: 'syn' },
      ),
      '192.0.2.10:1 does not answer 203.0.113.66 port 55555: 1 SYN, nothing came back.',
    ),
  ],
};
