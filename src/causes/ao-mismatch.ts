import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown } from '../model/cause-facts.ts';
import type { Counters } from '../model/facts/facts.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { countedBeforeListener, settledOtherwise, signatureRefused } from './shared-refusal.ts';
import { tracedSyn } from './shared-silence.ts';

const COUNTERS = ['TcpExtTCPAORequired', 'TcpExtTCPAOKeyNotFound', 'TcpExtTCPAOBad'] as const;

const MEANINGS: Readonly<Record<(typeof COUNTERS)[number], string>> = {
  TcpExtTCPAORequired: 'are not signed, although the listener demands TCP-AO from that address',
  TcpExtTCPAOKeyNotFound: 'name a TCP-AO key that the listener does not have for that address',
  TcpExtTCPAOBad: 'have a wrong TCP-AO signature',
};

function whatIsWrong(counters: Counters): string {
  const name = COUNTERS.find((one) => grown(counters, one) > 0);
  return name === undefined ? 'do not have the TCP-AO signature that the listener expects' : MEANINGS[name];
}

export const cause: Cause = defineCause({
  id: 'ao-mismatch',
  title: 'The TCP-AO keys of the two sides do not agree',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'kernelTrace', 'machine'],
  assess({ attempt, counters, sockets, kernelTrace, machine }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (machine !== undefined) {
      const [major, minor] = machine.kernelVersion;
      if (major < 6 || (major === 6 && minor < 7)) {
        return [contradicts('conclusive', 'machine', `Linux ${machine.kernelRelease} has no TCP-AO (since 6.7)`)];
      }
    }
    const { synOptions } = attempt;
    const signed = synOptions === undefined || synOptions.cut === true ? undefined : synOptions.ao;
    const possible = signed === undefined ? COUNTERS : signed ? COUNTERS.slice(1) : COUNTERS.slice(0, 1);
    const evidence = [
      ...tracedSyn(kernelTrace, { reasons: /^TCP_AO/ }),
      ...signatureRefused(kernelTrace, 'ao'),
      ...countedBeforeListener({ attempt, counters, sockets }, possible),
    ];
    if (signed !== undefined && evidence.some(({ bearing }) => bearing === 'supports')) {
      const has = signed ? 'has a TCP-AO signature (option 29)' : 'has no TCP-AO signature (option 29)';
      evidence.push(supports('moderate', 'attempt', `the SYN ${has}`));
    }
    if (synOptions?.md5 === true) {
      evidence.push(contradicts('strong', 'attempt', 'the SYN is signed with MD5, not with TCP-AO'));
    }
    return evidence;
  },
  sentence({ attempt, counters }) {
    return `SYNs of ${attempt.client.address} ${whatIsWrong(counters)}, so the kernel drops them without an answer`;
  },
  remedies: () => [
    {
      id: 'agree-on-keys',
      title: 'Configure the same keys, with the same identifiers and algorithm, on both sides',
      risk: 'high',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'SendID of one side is RecvID of the other; address, prefix, VRF and port of the key must cover the peer.',
        },
      ],
    },
  ],
  explanation: `
TCP-AO (RFC 5925) signs each segment with one of several keys. Linux has it since 6.7 (\`CONFIG_TCP_AO\`). Before a listener looks at a SYN, \`tcp_inbound_hash()\` →
\`tcp_inbound_ao_hash()\` verifies it; a SYN that fails is dropped without an answer.

- \`TCPAORequired\`: the listener demands a signature and the SYN has none
- \`TCPAOKeyNotFound\`: the SYN names a key that the listener does not have for this peer
- \`TCPAOBad\`: the signature is wrong

\`ListenDrops\` does not move; the listener's own drops do. Be sure: the drop reason begins with \`TCP_AO\`, the tracepoint \`tcp:tcp_ao_handshake_failure\` names the peer.
`,
  confusedWith: [
    { id: 'md5-mismatch', toldApartBy: 'option 19 instead of 29, and the TCPMD5 counters' },
    { id: 'netfilter-drop-in', toldApartBy: 'no counter of TCP moves there' },
  ],
  scenario: {
    impossible: 'needs a kernel that was built with CONFIG_TCP_AO, and keys set by setsockopt() on both sides',
  },
  examples: [
    {
      name: 'the listener demands a signature',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpExtTCPAORequired: 4 }, 'TcpExtListenDrops'),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'another port moved the counter',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpExtTCPAORequired: 4 }),
        sockets: listening({ dropsDelta: 0 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the kernel has no TCP-AO',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpExtListenDrops: 4 }),
        machine: { hostname: 'web7', kernelRelease: '6.1.0-50', kernelVersion: [6, 1], privileged: true },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc5925', 'https://docs.kernel.org/networking/tcp_ao.html'],
});
