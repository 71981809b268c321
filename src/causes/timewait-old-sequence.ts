import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown } from '../model/cause-facts.ts';
import { ANSWERED_BY_ACK, SYN_OPTIONS, withOldSocket } from './shared-example-old-sockets.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { answeredByAck, oldSocket, settledWithoutOldSocket } from './shared-old-socket.ts';

const PLAIN = { ...ANSWERED_BY_ACK, synOptions: { ...SYN_OPTIONS, timestamps: false } };

export const cause: Cause = defineCause({
  id: 'timewait-old-sequence',
  title: 'The SYN meets a connection in TIME-WAIT, and its sequence number is older',
  place: 'client',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters'],
  assess({ attempt, sockets, counters }) {
    const settled = settledWithoutOldSocket(attempt);
    if (settled !== undefined) return settled;
    const socket = oldSocket(sockets, /^TIME-WAIT$/);
    if (socket === undefined) {
      return [contradicts('conclusive', 'sockets', 'no connection with the same addresses and ports is in TIME-WAIT')];
    }
    const { synOptions } = attempt;
    if (synOptions?.timestamps === true) {
      return [
        contradicts('conclusive', 'attempt', 'the SYN has a timestamp, which decides instead of the sequence number'),
      ];
    }
    if (grown(counters, 'TcpExtPAWSTimewait') > 0) {
      return [
        contradicts(
          'strong',
          'counters',
          `PAWSTimewait +${grown(counters, 'TcpExtPAWSTimewait')}: a timestamp was too old`,
        ),
      ];
    }
    const limited = grown(counters, 'TcpExtTCPACKSkippedTimeWait');
    const acked = answeredByAck(attempt);
    const said = 'a connection with the same addresses and ports is in TIME-WAIT';
    if (!acked && limited === 0) return [supports('moderate', 'sockets', said)];
    const how = acked ? 'an ACK answered the SYN' : `its ACK was held back (TCPACKSkippedTimeWait +${limited})`;
    const without = synOptions === undefined || synOptions.cut === true ? '' : ', and the SYN has no timestamp';
    return [supports(without === '' ? 'strong' : 'conclusive', 'sockets', `${said}, ${how}${without}`)];
  },
  sentence({ attempt }) {
    const { client, server } = attempt;
    return `SYNs of ${client.address} port ${client.port} meet a connection of the same ports in TIME-WAIT on port ${server.port} and begin with an older sequence number, so the server answers with ACK instead of SYN-ACK`;
  },
  remedies: () => [
    {
      id: 'timestamps',
      title: 'Turn TCP timestamps on at the client: a newer timestamp is taken whatever the sequence number',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'On the client net.ipv4.tcp_timestamps=1 (the default); a firewall that takes the option away must let it pass. Longer port ranges make it rarer.',
        },
      ],
    },
  ],
  explanation: `
The side that closes first keeps the connection in TIME-WAIT for 60 s. A new SYN with the same addresses and ports is taken when it is clearly newer: by its timestamp, or, **without timestamps**, by a
sequence number beyond the last one. An older sequence number is refused, and \`tcp_timewait_state_process()\` answers with the ACK of the old connection.

A real client answers that ACK with RST and its repeated SYN succeeds a second later. It times out when a firewall drops one of the two.

No counter moves (\`TCPACKSkippedTimeWait\` when the ACK is held back by the rate limit), and the drop reason is \`NOT_SPECIFIED\`. Be sure: \`ss -tan state time-wait\` has the addresses
and ports, and a capture shows SYN without the timestamps option answered by ACK.
`,
  confusedWith: [
    { id: 'timewait-paws', toldApartBy: 'the SYN has a timestamp, and PAWSTimewait moves' },
    { id: 'half-open-established', toldApartBy: 'the old connection is still ESTABLISHED, and TCPSYNChallenge moves' },
  ],
  scenario: {
    plan: ({ port }) => ({
      listener: { then: 'close' },
      steps: [
        // TCP_REPAIR lets the earlier connection begin with a known sequence number (TCP_QUEUE_SEQ of the send queue).
        {
          on: 'client',
          connect: {
            sourcePort: 30_001,
            readMs: 500,
            then: 'close',
            options: [
              { level: 6, option: 19, value: 1 },
              { level: 6, option: 20, value: 2 },
              { level: 6, option: 21, value: 2_000_000_000 },
              { level: 6, option: 19, value: 0 },
            ],
          },
        },
        { waitMs: 200 },
        { on: 'client', nft: nftChain({ hook: 'output' }, `tcp dport ${port} tcp flags & rst == rst drop`) },
      ],
      attempt: { on: 'client', send: { flags: 'S', sourcePort: 30_001, seq: 1_000_000_000, tcpOptions: '020405b4' } },
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'in TIME-WAIT, no timestamp, an ACK answers',
      given: { attempt: PLAIN, sockets: withOldSocket('TIME-WAIT'), counters: exampleCounters({}) },
      expect: 'confirmed',
    },
    {
      name: 'the SYN has a timestamp',
      given: { attempt: { ...PLAIN, synOptions: SYN_OPTIONS }, sockets: withOldSocket('TIME-WAIT') },
      expect: 'ruled-out',
    },
    {
      name: 'nothing answered: something else stopped the SYN',
      given: {
        attempt: { ...PLAIN, sightings: [] },
        sockets: withOldSocket('TIME-WAIT'),
        counters: exampleCounters({}),
      },
      expect: 'possible',
    },
    { name: 'no such connection', given: { attempt: PLAIN, sockets: listening() }, expect: 'ruled-out' },
    {
      name: 'the old connection is established',
      given: { attempt: PLAIN, sockets: withOldSocket('ESTAB') },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc6191', 'net/ipv4/tcp_minisocks.c: tcp_timewait_state_process()'],
});
