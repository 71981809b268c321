import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetnsHost } from '../host/netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../host/testing/namespaces.ts';
import { snapshotHost } from './snapshot.ts';
import type { HostState } from './state.ts';
import type { Replay, SynSpec } from './syn.ts';
import { copiable, inside, listenIn } from './testing/real-server.ts';
import { TwinProcess } from './twin-process.ts';

const missing = namespacesMissing() ?? missingProgram('nft') ?? missingProgram('unshare');
if (missing !== undefined) console.log(`skipped: copies of hosts (${missing})`);

const PORT = 8080;
/** Addresses of the client that are not on the link of the server. */
const FAR_V4 = '198.51.100.7';
const FAR_V6 = '2001:db8:77::7';

interface Case {
  readonly name: string;
  /** The client's address. */
  readonly from: string;
  readonly to: string;
  /** Breaks the server; returns what mends it where that is more than the list below. */
  readonly fault: (server: string) => (() => void) | undefined;
  /** Commands that mend it. */
  readonly mend?: readonly (readonly string[])[];
  /** What the twin has to say; a real connect() has to agree whether there was an answer. */
  readonly expect: Partial<Replay>;
  /** Where it listens; on all addresses of both families when absent. */
  readonly listen?: (server: string) => () => void;
  /** Connections that are opened beforehand and not accepted. */
  readonly waiting?: number;
  /** A program without which it cannot be tried. */
  readonly needs?: string;
}

const ip =
  (...argv: string[]) =>
  (server: string): undefined => {
    inside(server, ['ip', ...argv]);
    return undefined;
  };
const ANSWERED = { reply: 'syn-ack', isAnswered: true } as const;
const SILENCE = { reply: 'silence', isAnswered: false } as const;

const CASES: readonly Case[] = [
  { name: 'a healthy host', from: CLIENT_V4, to: SERVER_V4, fault: () => undefined, expect: ANSWERED },
  { name: 'a healthy host, IPv6', from: CLIENT_V6, to: SERVER_V6, fault: () => undefined, expect: ANSWERED },
  {
    name: 'a client behind a gateway',
    from: FAR_V4,
    to: SERVER_V4,
    fault: ip('route', 'add', 'default', 'via', CLIENT_V4),
    mend: [['ip', 'route', 'del', 'default']],
    expect: ANSWERED,
  },
  { name: 'no way back', from: FAR_V4, to: SERVER_V4, fault: () => undefined, expect: SILENCE },
  { name: 'no way back, IPv6', from: FAR_V6, to: SERVER_V6, fault: () => undefined, expect: SILENCE },
  {
    name: 'a dead gateway',
    from: FAR_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(server, ['ip', 'route', 'add', 'default', 'via', '10.77.0.99']);
      // The kernel has tried, and knows that nobody is there.
      inside(server, ['ip', 'neigh', 'replace', '10.77.0.99', 'dev', 'eth0', 'nud', 'failed']);
      return undefined;
    },
    mend: [
      ['ip', 'route', 'del', 'default'],
      ['ip', 'neigh', 'flush', 'dev', 'eth0'],
    ],
    expect: { ...SILENCE, unanswered: ['eth0 10.77.0.99'] },
  },
  {
    name: 'strict reverse path filtering',
    from: FAR_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(server, ['ip', 'link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'other-peer']);
      inside(server, ['ip', 'link', 'set', 'other', 'up']);
      inside(server, ['ip', 'link', 'set', 'other-peer', 'up']);
      inside(server, ['ip', 'addr', 'add', '10.78.0.1/24', 'dev', 'other']);
      inside(server, ['ip', 'route', 'add', 'default', 'via', '10.78.0.2']);
      inside(server, ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
      return undefined;
    },
    mend: [
      ['ip', 'link', 'del', 'other'],
      ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0'],
    ],
    expect: SILENCE,
  },
  {
    name: 'a rule of nftables',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(
        server,
        ['nft', '-f', '-'],
        `table inet fw { set bad { type ipv4_addr; flags interval; elements = { 10.77.0.0/28 }; };
        chain input { type filter hook input priority 0; policy accept; tcp dport ${PORT} ip saddr @bad counter drop comment "no # clients"; }; }`,
      );
      return undefined;
    },
    mend: [['nft', 'flush', 'ruleset']],
    expect: SILENCE,
  },
  {
    name: 'a rule of iptables-nft that nft only names',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'iptables-nft',
    fault: (server) => {
      inside(server, [
        'iptables-nft',
        '-A',
        'INPUT',
        '-p',
        'tcp',
        '-m',
        'u32',
        '--u32',
        '0>>22&0x3C@0&0xFFFF=8080',
        '-j',
        'DROP',
      ]);
      return undefined;
    },
    mend: [['nft', 'flush', 'ruleset']],
    expect: SILENCE,
  },
  {
    name: 'a rule of iptables-legacy',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'iptables-legacy',
    fault: (server) => {
      inside(server, ['iptables-legacy', '-A', 'INPUT', '-p', 'tcp', '--dport', `${PORT}`, '-j', 'DROP']);
      return undefined;
    },
    mend: [['iptables-legacy', '-F']],
    expect: SILENCE,
  },
  {
    name: 'an unreachable route',
    from: FAR_V4,
    to: SERVER_V4,
    fault: ip('route', 'add', 'unreachable', '198.51.100.0/24'),
    mend: [['ip', 'route', 'del', 'unreachable', '198.51.100.0/24']],
    expect: SILENCE,
  },
  {
    name: 'a blackhole',
    from: FAR_V6,
    to: SERVER_V6,
    fault: ip('-6', 'route', 'add', 'blackhole', '2001:db8:77::/48'),
    mend: [['ip', '-6', 'route', 'del', 'blackhole', '2001:db8:77::/48']],
    expect: SILENCE,
  },
  {
    name: 'a rule that leads to a dead table',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(server, ['ip', 'route', 'add', 'prohibit', 'default', 'table', '77']);
      inside(server, [
        'ip',
        'rule',
        'add',
        'pref',
        '100',
        'from',
        'all',
        'ipproto',
        'tcp',
        'sport',
        `${PORT}`,
        'lookup',
        '77',
      ]);
      return undefined;
    },
    mend: [
      ['ip', 'rule', 'del', 'pref', '100'],
      ['ip', 'route', 'flush', 'table', '77'],
    ],
    expect: SILENCE,
  },
  {
    name: 'a listener on another address',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: () => undefined,
    listen: (server) => listenIn(server, '127.0.0.1', PORT),
    expect: { reply: 'rst', isAnswered: false },
  },
  {
    name: 'a full accept queue',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: () => undefined,
    listen: (server) => listenIn(server, '0.0.0.0', PORT, 1),
    waiting: 2,
    expect: SILENCE,
  },
  {
    name: 'a minimum TTL',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: () => undefined,
    listen: (server) =>
      listenIn(server, '0.0.0.0', PORT, 128, (calls, fd) => calls.setsockopt(fd, 0, 21, Uint8Array.of(255, 0, 0, 0))),
    expect: SILENCE,
  },
  {
    name: 'a filter on the socket',
    from: CLIENT_V6,
    to: SERVER_V6,
    fault: () => undefined,
    listen: (server) =>
      listenIn(server, '::', PORT, 128, (calls, fd) => {
        // ret #0: nothing passes.
        const program = Buffer.from('0600000000000000', 'hex');
        const head = Buffer.alloc(16);
        head.writeUInt16LE(1, 0);
        head.writeBigUInt64LE(calls.addressOf(program), 8);
        calls.setsockopt(fd, 1, 26, head);
      }),
    expect: SILENCE,
  },
  {
    name: 'a rule on the way out',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(
        server,
        ['nft', '-f', '-'],
        `table ip out { chain o { type filter hook output priority 0; tcp sport ${PORT} drop; }; }`,
      );
      return undefined;
    },
    mend: [['nft', 'flush', 'ruleset']],
    expect: SILENCE,
  },
  {
    name: 'a limit that is not reached',
    from: CLIENT_V4,
    to: SERVER_V4,
    fault: (server) => {
      inside(
        server,
        ['nft', '-f', '-'],
        `table ip few { chain i { type filter hook input priority 0; tcp dport ${PORT} limit rate over 1/minute burst 2 packets drop; }; }`,
      );
      return undefined;
    },
    mend: [['nft', 'flush', 'ruleset']],
    expect: ANSWERED,
  },
  {
    name: 'a filter of tc',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'tc',
    fault: (server) => {
      const add = ['tc', 'filter', 'add', 'dev', 'eth0'];
      inside(server, ['tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact']);
      inside(server, [
        ...add,
        'egress',
        'protocol',
        'ip',
        'u32',
        'match',
        'ip',
        'dport',
        '9',
        '0xffff',
        'classid',
        '1:1',
      ]);
      // ret #2: TC_ACT_SHOT.
      inside(server, [...add, 'ingress', 'bpf', 'da', 'bytecode', '1,6 0 0 2']);
      return undefined;
    },
    mend: [['tc', 'qdisc', 'del', 'dev', 'eth0', 'clsact']],
    expect: SILENCE,
  },
  {
    name: 'a class of tc whose queue is shorter than a packet',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'tc',
    fault: (server) => {
      shape(server, 'qdisc', 'root handle 1: htb default 1');
      shape(server, 'class', 'parent 1: classid 1:1 htb rate 1gbit');
      shape(server, 'class', 'parent 1:1 classid 1:2 htb rate 1gbit');
      shape(server, 'qdisc', 'parent 1:2 handle 20: bfifo limit 10');
      shape(server, 'filter', `parent 1: protocol ip u32 match ip sport ${PORT} 0xffff flowid 1:2`);
      return undefined;
    },
    mend: [['tc', 'qdisc', 'del', 'dev', 'eth0', 'root']],
    expect: SILENCE,
  },
  {
    name: 'a rate that no packet fits into',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'tc',
    fault: (server) => {
      shape(server, 'qdisc', 'root tbf rate 8bit burst 1500 limit 10');
      return undefined;
    },
    mend: [['tc', 'qdisc', 'del', 'dev', 'eth0', 'root']],
    expect: SILENCE,
  },
  {
    name: 'a rate that is high enough',
    from: CLIENT_V4,
    to: SERVER_V4,
    needs: 'tc',
    fault: (server) => {
      shape(server, 'qdisc', 'root handle 1: htb default 10');
      shape(server, 'class', 'parent 1: classid 1:10 htb rate 1mbit ceil 2mbit');
      shape(server, 'qdisc', 'parent 1:10 tbf rate 1mbit burst 4kb limit 20kb');
      return undefined;
    },
    mend: [['tc', 'qdisc', 'del', 'dev', 'eth0', 'root']],
    expect: ANSWERED,
  },
];

function shape(server: string, what: 'qdisc' | 'class' | 'filter', words: string): void {
  inside(server, ['tc', what, 'add', 'dev', 'eth0', ...words.split(' ')]);
}

describe.skipIf(missing !== undefined)('a copy of a host', () => {
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;

  beforeAll(() => {
    pair = makeNamespacePair('syt');
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
    inside(pair.server, ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.eth0.rp_filter=0']);
    inside(pair.client, ['ip', 'addr', 'add', FAR_V4, 'dev', 'lo']);
    inside(pair.client, ['ip', 'addr', 'add', FAR_V6, 'dev', 'lo']);
    inside(pair.client, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  }, 60_000);
  afterAll(async () => {
    await server?.close();
    await client?.close();
    pair?.remove();
  });

  for (const one of CASES) {
    const lacking = one.needs === undefined ? undefined : missingProgram(one.needs);
    if (missing === undefined && lacking !== undefined) console.log(`skipped: a copy with ${one.name} (${lacking})`);
    it.skipIf(lacking !== undefined)(
      `answers like the host itself: ${one.name}`,
      async () => {
        // It takes as long as the host needs to show its own answer.
        const starting = TwinProcess.start();
        starting.catch(() => {});
        const close = (one.listen ?? ((name) => listenIn(name, '::', PORT)))(pair.server);
        inside(pair.client, ['ip', 'route', 'replace', one.to, 'dev', 'eth0', 'src', one.from]);
        try {
          for (let count = 0; count < (one.waiting ?? 0); count++) {
            await client.connect({ address: one.to, port: PORT, timeoutMs: 3000 });
          }
          one.fault(pair.server);
          const real = await client.connect({ address: one.to, port: PORT, timeoutMs: 900 });
          expect(real.errno === undefined).toBe(one.expect.isAnswered);
          const twin = await starting;
          const state = await snapshotHost(server, { port: PORT, client: one.from });
          const syn = synOf(one, state);
          const summary = await twin.build(state, { role: 'server', syn });
          expect(copiable(summary)).toEqual([]);
          for (let count = 0; count < 3; count++) expect(await twin.ask('replay', syn)).toMatchObject(one.expect);
          expect(await twin.ask('fidelity', undefined)).toMatchObject({ differences: [] });
        } finally {
          await (await starting.catch(() => undefined))?.close();
          close();
          for (const argv of one.mend ?? []) inside(pair.server, argv);
          inside(pair.server, ['ip', 'neigh', 'flush', 'dev', 'eth0']);
        }
      },
      60_000,
    );
  }
});

function synOf({ from, to }: Case, state: HostState): SynSpec {
  const mac = state.neighbours.find(({ address }) => address === CLIENT_V4 || address === CLIENT_V6)?.linkAddress;
  return {
    family: from.includes(':') ? 6 : 4,
    source: from,
    sourcePort: 45_678,
    destination: to,
    destinationPort: PORT,
    device: 'eth0',
    ...(mac === undefined ? {} : { sourceMac: mac }),
  };
}

function missingProgram(name: string): string | undefined {
  return spawnSync(name, [name === 'tc' ? '-V' : '--version']).error === undefined ? undefined : `needs ${name}`;
}
