import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'option-mangling',
  title: 'Something on the way changes the options of the SYN or the SYN-ACK',
  place: 'path',
  step: 'path-out',
  survivable: true,
  sides: ['client', 'server'],
  needs: ['attempt'],
  wants: ['sysctls', 'counters'],
  assess({ attempt, sysctls, counters }) {
    const syn = attempt.synOptions;
    if (syn === undefined || syn.cut) return [];
    const evidence = [];
    // A Linux client sends timestamps, SACK and window scaling in every SYN; a SYN of the usual MSS without all three was stripped.
    if (
      attempt.side === 'server' &&
      syn.mssBytes !== undefined &&
      !syn.timestamps &&
      !syn.sackPermitted &&
      syn.windowScaleShift === undefined
    ) {
      evidence.push(
        supports(
          'weak',
          'attempt',
          'the SYN carries nothing but an MSS: a very old system, or its options were stripped',
        ),
      );
    }
    const answer = attempt.handshake?.serverOptions;
    if (attempt.side === 'client' && answer !== undefined && !answer.cut) {
      if (syn.timestamps && !answer.timestamps && sysctls?.['net.ipv4.tcp_timestamps'] !== '0') {
        evidence.push(supports('weak', 'attempt', 'the SYN offered timestamps and the SYN-ACK has none'));
      }
    }
    if (watched(attempt, counters) && grown(counters, 'TcpExtTSEcrRejected') > 0) {
      evidence.push(
        supports(
          'moderate',
          'counters',
          `TSEcrRejected +${grown(counters, 'TcpExtTSEcrRejected')}: an echoed timestamp was none that was sent`,
        ),
      );
    }
    if (evidence.length === 0)
      return attempt.synAcks > 0 ? [contradicts('weak', 'attempt', 'the options look untouched')] : [];
    return evidence;
  },
  sentence({ attempt }) {
    return `Something between ${attempt.client.address} and ${attempt.server.address} changes TCP options`;
  },
  remedies() {
    return [
      {
        id: 'find-middlebox',
        title: 'Compare the SYN in captures from both ends, and find the box that changes it',
        risk: 'medium',
        auto: 'never',
        changes: [
          { kind: 'command', argv: ['synscope', 'compare', 'client.pcap', 'server.pcap'] },
          {
            kind: 'advice',
            text: 'To see whether timestamps are the trouble: sysctl -w net.ipv4.tcp_timestamps=0 on the client, for the test only.',
          },
        ],
      },
    ];
  },
  explanation: `
Middleboxes strip options (timestamps, SACK, MPTCP) or rewrite them (MSS, timestamps). Stripping is harmless for the handshake itself. Rewriting the echoed timestamp is not: the receiver rejects
the segment (\`PAWSActive\`, \`TSEcrRejected\`), see synack-bad-timestamp and ack-paws-or-tsecr. A window scale that is stripped in one direction only gives stalls later.

One end alone cannot prove it: compare the options of the same SYN in captures from both ends.
`,
  confusedWith: [
    { id: 'synack-bad-timestamp', toldApartBy: 'PAWSActive moves on the client' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'a SYN with an option is lost, one without is not' },
  ],
  scenario: {
    requires: ['iptables'],
    plan: ({ iptables }) => ({
      steps: [
        {
          on: 'router',
          run: [
            iptables,
            '-t',
            'mangle',
            '-A',
            'FORWARD',
            '-p',
            'tcp',
            '-j',
            'TCPOPTSTRIP',
            '--strip-options',
            'timestamp',
          ],
        },
      ],
      // Stripping alone is harmless: the connection works, and nothing may be named.
      expect: { server: null, client: null },
    }),
  },
  examples: [
    {
      name: 'a SYN-ACK without timestamps',
      given: {
        attempt: {
          ...CLIENT_ATTEMPT,
          synAcks: 1,
          synOptions: {
            mssBytes: 1460,
            windowBytes: 64240,
            sackPermitted: true,
            timestamps: true,
            mptcp: false,
            md5: false,
            ao: false,
            ecnSetup: false,
          },
          handshake: {
            client: CLIENT_ATTEMPT.client,
            server: CLIENT_ATTEMPT.server,
            outcome: 'established',
            stage: 'established',
            segments: [],
            omittedSegments: 0,
            synRetransmissions: 1,
            synAckRetransmissions: 0,
            serverOptions: {
              mssBytes: 1460,
              windowBytes: 65160,
              sackPermitted: true,
              timestamps: false,
              mptcp: false,
              md5: false,
              ao: false,
              ecnSetup: false,
            },
            startedAtNs: 0n,
            endedAtNs: 0n,
            encapsulation: [],
            findings: [],
          },
        },
      },
      expect: 'possible',
    },
    { name: 'nothing captured', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc7323', 'https://doi.org/10.1145/2068816.2068834'],
});
