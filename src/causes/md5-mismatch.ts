import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { countedBeforeListener, settledOtherwise, signatureRefused } from './shared-refusal.ts';
import { tracedSyn } from './shared-silence.ts';

const OPTIONS: NonNullable<Attempt['synOptions']> = {
  windowBytes: 64_240,
  sackPermitted: true,
  timestamps: true,
  mptcp: false,
  md5: false,
  ao: false,
  ecnSetup: false,
};

/** Which counters a SYN with, or without, the option can move; all of them when it was cut off. */
function countersFor({ synOptions }: Attempt): readonly string[] {
  const all = ['TcpExtTCPMD5NotFound', 'TcpExtTCPMD5Unexpected', 'TcpExtTCPMD5Failure'];
  if (synOptions === undefined || synOptions.cut === true) return all;
  return synOptions.md5 ? all.slice(1) : all.slice(0, 1);
}

function whatIsWrong(attempt: Attempt, counters: Counters): string {
  const [name] = countersFor(attempt).filter((one) => grown(counters, one) > 0);
  if (name === 'TcpExtTCPMD5NotFound')
    return 'are not signed, although the listener has a TCP-MD5 key for that address';
  if (name === 'TcpExtTCPMD5Unexpected') return 'are signed with TCP-MD5, but the listener has no key for that address';
  if (name === 'TcpExtTCPMD5Failure') return 'are signed with another TCP-MD5 key than that of the listener';
  return 'do not have the TCP-MD5 signature that the listener expects';
}

export const cause: Cause = defineCause({
  id: 'md5-mismatch',
  title: 'The TCP-MD5 keys of the two sides do not agree',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'kernelTrace'],
  assess({ attempt, counters, sockets, kernelTrace }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const evidence = [
      ...tracedSyn(kernelTrace, { reasons: /^TCP_MD5/ }),
      ...signatureRefused(kernelTrace, 'md5'),
      ...countedBeforeListener({ attempt, counters, sockets }, countersFor(attempt)),
    ];
    const { synOptions } = attempt;
    if (synOptions !== undefined && evidence.some(({ bearing }) => bearing === 'supports')) {
      const has = synOptions.md5 ? 'has an MD5 signature (option 19)' : 'has no MD5 signature (option 19)';
      evidence.push(supports('moderate', 'attempt', `the SYN ${has}`));
    }
    if (synOptions?.ao === true) {
      evidence.push(contradicts('strong', 'attempt', 'the SYN is signed with TCP-AO, not with MD5'));
    }
    return evidence;
  },
  sentence({ attempt, counters, sockets }) {
    const who = sockets === undefined ? '' : `; it is ${takerName(sockets, attempt)}`;
    return `SYNs of ${attempt.client.address} ${whatIsWrong(attempt, counters)}, so the kernel drops them without an answer${who}`;
  },
  remedies: ({ attempt }) => [
    {
      id: 'agree-on-key',
      title: 'Configure the same key, for the right address, on both sides',
      risk: 'high',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `The key belongs to an address: the server needs it for ${attempt.client.address}, the client for ${attempt.server.address}. Translation between them breaks the signature.`,
        },
      ],
    },
  ],
  explanation: `
TCP-MD5 (RFC 2385, mostly BGP) signs each segment, the SYN included. Before a listener looks at a SYN, \`tcp_inbound_hash()\` → \`tcp_inbound_md5_hash()\` compares:

- the listener has a key for the client, the SYN has no signature: \`TCPMD5NotFound\`
- the SYN has a signature, the listener has no key for the client: \`TCPMD5Unexpected\`
- both, and they differ: \`TCPMD5Failure\`

In all three the SYN is dropped without an answer, so the client times out. \`ListenDrops\` does not move; the listener's own drops do (\`ss -ltnm\`, \`d\`).

Be sure: the drop reason is \`TCP_MD5NOTFOUND\`, \`TCP_MD5UNEXPECTED\` or \`TCP_MD5FAILURE\`; since Linux 6.11 or so the tracepoints \`tcp:tcp_hash_md5_*\` name addresses and ports. The signature
covers the addresses: translation in between makes it wrong.
`,
  confusedWith: [
    { id: 'ao-mismatch', toldApartBy: 'option 29 instead of 19, and the TCPAO counters' },
    { id: 'min-ttl', toldApartBy: 'TCPMinTTLDrop moves there' },
    { id: 'netfilter-drop-in', toldApartBy: 'no counter of TCP moves there' },
  ],
  scenario: {
    variants: ['keys-differ', 'only-the-client'],
    requires: ['CONFIG_TCP_MD5SIG'],
    plan: ({ family, client, server }, variant) => ({
      listener: {
        address: family === 4 ? '0.0.0.0' : '::',
        ...(variant === 'only-the-client' ? {} : { md5: { peer: client, key: 'right' } }),
      },
      steps: [],
      ...(variant === undefined ? {} : { attempt: { md5: { peer: server, key: 'other' } } }),
    }),
  },
  examples: [
    {
      name: 'the listener has a key, the SYN no signature',
      given: {
        attempt: { ...FOUR_SYNS, synOptions: OPTIONS },
        counters: exampleCounters({ TcpExtTCPMD5NotFound: 4 }, 'TcpExtListenDrops'),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the keys differ',
      given: {
        attempt: { ...FOUR_SYNS, synOptions: { ...OPTIONS, md5: true } },
        counters: exampleCounters({ TcpExtTCPMD5Failure: 4 }),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a tracepoint names the attempt',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpExtTCPMD5NotFound: 900 }),
        kernelTrace: {
          events: [{ kind: 'authentication-refused', what: 'hash_md5_required', cpu: 0, timeUs: 1 }],
          drops: [],
          overrun: false,
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'unsigned SYNs cannot have moved the counter of wrong signatures',
      given: {
        attempt: { ...FOUR_SYNS, synOptions: OPTIONS },
        counters: exampleCounters({ TcpExtTCPMD5Failure: 4 }, 'TcpExtTCPMD5NotFound'),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the listener refused nothing: the counter is of another port',
      given: {
        attempt: { ...FOUR_SYNS, synOptions: OPTIONS },
        counters: exampleCounters({ TcpExtTCPMD5NotFound: 9 }),
        sockets: listening(),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the drops were counted by the listener itself, for another reason',
      given: {
        attempt: { ...FOUR_SYNS, synOptions: OPTIONS },
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }, 'TcpExtTCPMD5NotFound'),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc2385', 'net/ipv4/tcp.c: tcp_inbound_md5_hash()'],
});
