import type { HealthyHost } from './healthy-host.ts';

const SERVER = 'server';

/** Listeners, clients and TCP settings that look odd and work. */
export const HEALTHY_SOCKETS: readonly HealthyHost[] = [
  { name: 'plain', what: 'nothing special', plan: () => ({ steps: [] }) },
  {
    name: 'syn-cookies-always',
    what: 'every SYN is answered with a cookie, and every cookie comes back',
    plan: () => ({ steps: [{ on: SERVER, sysctl: { 'net.ipv4.tcp_syncookies': 2 } }] }),
  },
  {
    name: 'busy-listener',
    what: 'a small backlog, many connections, and a program that keeps up',
    plan: () => ({
      listener: { backlog: 4 },
      steps: [{ on: 'client', connect: { count: 30, then: 'close' } }],
      attempt: { count: 5 },
    }),
  },
  {
    name: 'past-overflow',
    what: 'the accept queue overflowed earlier, while the program was stopped; now it is empty',
    plan: () => ({
      listener: { backlog: 1 },
      steps: [
        { on: SERVER, signal: 'STOP' },
        { on: 'client', connect: { count: 4, patienceMs: 150 } },
        { on: SERVER, signal: 'CONT' },
        { waitMs: 300 },
      ],
    }),
  },
  {
    name: 'time-wait-reuse',
    what: 'the server still has the same four-tuple in TIME-WAIT, and takes the new SYN',
    plan: ({ client }) => ({
      listener: { then: 'close' },
      steps: [
        {
          on: 'client',
          connect: { sourceAddress: client, sourcePort: 40_404, readMs: 200, then: 'close' },
        },
        { waitMs: 1100 },
      ],
      attempt: { sourceAddress: client, sourcePort: 40_404 },
    }),
  },
  {
    name: 'fast-open',
    what: 'TCP Fast Open with a cookie',
    plan: () => ({
      listener: { options: [{ level: 6, option: 23, value: 16 }], then: 'greet' },
      steps: [
        { on: SERVER, sysctl: { 'net.ipv4.tcp_fastopen': 3 } },
        { on: 'client', connect: { fastOpen: true, send: 'a', readMs: 100 } },
      ],
      attempt: { fastOpen: true, send: 'hello' },
    }),
  },
  {
    name: 'ecn',
    what: 'both sides ask for ECN',
    plan: () => ({
      steps: [
        { on: 'client', sysctl: { 'net.ipv4.tcp_ecn': 1 } },
        { on: SERVER, sysctl: { 'net.ipv4.tcp_ecn': 1 } },
      ],
    }),
  },
  {
    name: 'md5-with-matching-keys',
    what: 'TCP-MD5 with the same key on both sides',
    plan: ({ client, server }) => ({
      listener: { md5: { peer: client, key: 'a secret' } },
      steps: [],
      attempt: { md5: { peer: server, key: 'a secret' } },
    }),
  },
  {
    name: 'reuseport-pair',
    what: 'two processes share the port, and both accept',
    plan: () => ({
      listener: { reusePort: true },
      steps: [{ on: SERVER, listen: { name: 'second', reusePort: true } }],
      attempt: { count: 8 },
    }),
  },
  {
    name: 'client-closes-at-once',
    what: 'a client that connects and closes, as health checks do',
    plan: () => ({ steps: [], attempt: { count: 3, readMs: 0, then: 'close' } }),
  },
  {
    name: 'client-resets-at-once',
    what: 'a client that connects and resets, as some health checks do',
    plan: () => ({ steps: [], attempt: { count: 3, readMs: 0, then: 'reset' } }),
  },
  {
    name: 'port-scan',
    what: 'somebody tries closed ports while connections to the open one work',
    plan: ({ port }) => ({
      steps: [],
      meanwhile: [1, 2, 3, 4, 5, 6].map((step) => ({
        afterMs: 20 * step,
        step: { on: 'client', connect: { port: port + 10 * step } },
      })),
    }),
  },
  {
    name: 'no-timestamps',
    what: 'timestamps, window scaling and SACK are switched off',
    plan: () => ({
      steps: (['client', 'server'] as const).map((on) => ({
        on,
        sysctl: { 'net.ipv4.tcp_timestamps': 0, 'net.ipv4.tcp_window_scaling': 0, 'net.ipv4.tcp_sack': 0 },
      })),
    }),
  },
  {
    name: 'socket-for-one-address',
    what: 'the service listens on one address only, which is the one that clients use',
    plan: ({ server }) => ({ listener: { address: server }, steps: [] }),
  },
  {
    name: 'two-families-two-sockets',
    what: 'one socket for IPv4 and one, for IPv6 only, on the same port',
    plan: () => ({
      listener: { v6only: true },
      steps: [{ on: SERVER, listen: { name: 'v4', address: '0.0.0.0' } }],
    }),
  },
];
