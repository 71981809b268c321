import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, failedAttempt, NO_SOCKETS } from './shared-client.ts';

/** First and last port of `net.ipv4.ip_local_port_range`, and how many of them are reserved. */
function portRange(
  sysctls: Readonly<Record<string, string>>,
): { readonly size: number; readonly text: string } | undefined {
  const [first, last] = (sysctls['net.ipv4.ip_local_port_range'] ?? '').trim().split(/\s+/).map(Number);
  if (first === undefined || last === undefined || !(last >= first)) return undefined;
  const reserved = (sysctls['net.ipv4.ip_local_reserved_ports'] ?? '').split(',').reduce((sum, part) => {
    const [from = Number.NaN, to = from] = part
      .split('-')
      .map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
    return Number.isNaN(from) ? sum : sum + Math.max(0, Math.min(to, last) - Math.max(from, first) + 1);
  }, 0);
  return { size: last - first + 1 - reserved, text: `${first} to ${last}` };
}

export const cause: Cause = defineCause({
  id: 'ephemeral-ports-exhausted',
  title: 'All local ports towards the server are in use',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt', 'sockets', 'sysctls'],
  assess({ attempt, sockets, sysctls }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    if (attempt.connect.errno !== 'EADDRNOTAVAIL' && attempt.connect.errno !== 'EADDRINUSE') {
      return attempt.syns > 0
        ? [contradicts('conclusive', 'attempt', `a local port was found: ${attempt.client.port}`)]
        : [];
    }
    const range = portRange(sysctls);
    const used = sockets.portsInUse;
    if (range === undefined || used === undefined) return [];
    // The kernel hands out ports of one parity first, but tries the others before it gives up.
    if (used >= range.size) {
      return [
        supports(
          'conclusive',
          'sockets',
          `${used} sockets to ${attempt.server.address} port ${attempt.server.port} use all ${range.size} local ports (${range.text})`,
        ),
      ];
    }
    return [contradicts('strong', 'sockets', `${used} of ${range.size} local ports towards the server are in use`)];
  },
  sentence({ attempt, sockets, sysctls }) {
    const size = portRange(sysctls)?.size ?? 0;
    return `All ${size} local ports towards ${attempt.server.address} port ${attempt.server.port} are in use by ${sockets.portsInUse ?? 0} sockets`;
  },
  remedies() {
    return [
      {
        id: 'widen-port-range',
        title: 'Widen the range of local ports; the lasting repair is to reuse connections',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.ip_local_port_range', value: '1024 65535' }],
      },
      {
        id: 'reuse-time-wait',
        title: 'Let outgoing connections reuse ports in TIME-WAIT (needs timestamps on both sides)',
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_tw_reuse', value: '1' }],
      },
    ];
  },
  explanation: `
A connection is named by four numbers; with one source address, one server and one port, only the local port is left: about 28,000 by default
(\`net.ipv4.ip_local_port_range\`). Connections in TIME-WAIT hold theirs for a minute. When none is free, \`connect()\` fails at once with EADDRNOTAVAIL; nothing is
sent and no counter moves.

The range counts per server and port, unless the port was fixed by \`bind()\` before (then per source: EADDRINUSE without IP_BIND_ADDRESS_NO_PORT).

Be sure: \`ss -tan dst SERVER dport = :PORT | wc -l\` reaches the size of the range. Linux 6.18: \`__inet_hash_connect()\`.
`,
  confusedWith: [
    { id: 'client-no-usable-source', toldApartBy: 'the same errno, but there is no address' },
    { id: 'client-bind-nonlocal', toldApartBy: 'the same errno, but from bind()' },
  ],
  scenario: {
    plan: () => ({
      steps: [
        { on: 'client', sysctl: { 'net.ipv4.ip_local_port_range': '40000 40001' } },
        { on: 'client', connect: { count: 2 } },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'two ports, both in use',
      given: {
        attempt: failedAttempt('EADDRNOTAVAIL'),
        sockets: { ...NO_SOCKETS, portsInUse: 2 },
        sysctls: { 'net.ipv4.ip_local_port_range': '40000\t40001', 'net.ipv4.ip_local_reserved_ports': '' },
      },
      expect: 'confirmed',
    },
    {
      name: 'plenty of ports',
      given: {
        attempt: failedAttempt('EADDRNOTAVAIL'),
        sockets: { ...NO_SOCKETS, portsInUse: 12 },
        sysctls: { 'net.ipv4.ip_local_port_range': '32768\t60999' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'a port was found',
      given: { attempt: CLIENT_ATTEMPT, sockets: NO_SOCKETS, sysctls: {} },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/ip-sysctl.html',
    'net/ipv4/inet_hashtables.c: __inet_hash_connect()',
  ],
});
