import { hasSynProxy } from '../filter-text.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

/** Settings that say nothing of whether a SYN is answered, or only how long something takes. */
const IRRELEVANT =
  /accept_dad|addr_gen_mode|\/mtu$|hop_limit|base_reachable|router_solicit|regen_|temp_|_time|_ms$|stable_secret|icmp_ratelimit|icmp\/ratelimit|ratemask|unres_qlen|gc_|mc_forwarding|somaxconn|nf_conntrack_(?:count|max|buckets)|tcp_[rw]?mem|udp_|congestion/;
/** Writing it sets it for all interfaces; what each has is what counts. */
const SETS_ALL = /\/conf\/all\/(disable_ipv6|forwarding)$/;
const LOOSE = 'netfilter/nf_conntrack_tcp_loose';
/** Turning IPv6 off takes addresses and routes away. */
const DISTURBS = /disable_ipv6|forwarding|accept_ra/;

/** Settings that differ from those of a fresh host, and some that let more pass than usual. */
export function sysctlInterventions(bench: Bench): Intervention[] {
  return [...defaults(bench), ...forSynProxy(bench), ...permissive(bench)];
}

/** With the default no ACK gets back to a SYN proxy. */
function forSynProxy({ twin: { state } }: Bench): Intervention[] {
  const isLoose = state.sysctls[LOOSE] !== undefined && state.sysctls[LOOSE] !== '0';
  return isLoose && hasSynProxy(state) ? [setting([[LOOSE, '0']], 0)] : [];
}

function defaults({ twin, original }: Bench): Intervention[] {
  const other = original.family === 4 ? /^ipv6\// : /^ipv4\/(conf|neigh|route)\//;
  return twin.changedSysctls
    .filter((path) => !IRRELEVANT.test(path) && !other.test(path) && !SETS_ALL.test(path))
    .flatMap((path): Intervention[] => {
      const fresh = twin.freshSysctls[path];
      return fresh === undefined ? [] : [setting([[path, fresh]], 0)];
    });
}

/** What lets more pass than the default does. */
function permissive({ twin, original, device }: Bench): Intervention[] {
  const { state, role } = twin;
  const all = (name: string, family: 4 | 6): string[] =>
    state.links.map((link) => `ipv${family}/conf/${link.name}/${name}`);
  const own = (name: string, family: 4 | 6): string => `ipv${family}/conf/${device}/${name}`;
  const sets: (readonly [string, string])[][] = [
    [
      ['ipv4/conf/all/rp_filter', '0'],
      [own('rp_filter', 4), '0'],
    ],
    [[own('rp_filter', 4), '0']],
    [['ipv4/conf/all/rp_filter', '0']],
    [[own('accept_local', 4), '1']],
    [[own('route_localnet', 4), '1']],
    [['ipv4/tcp_syncookies', '1']],
    [['ipv4/tcp_max_syn_backlog', '4096']],
    [['ipv4/tcp_fwmark_accept', '0']],
    [['ipv4/tcp_timestamps', '0']],
    [
      ['ipv4/conf/all/arp_ignore', '0'],
      [own('arp_ignore', 4), '0'],
    ],
    [[own('arp_filter', 4), '0']],
    [[own('disable_ipv6', 6), '0']],
    all('ignore_routes_with_linkdown', original.family).map((path) => [path, '1'] as const),
  ];
  if (role === 'router') {
    sets.push(
      [['ipv4/ip_forward', '1']],
      [['ipv6/conf/all/forwarding', '1']],
      [[own('forwarding', original.family), '1']],
    );
    sets.push([['bridge/bridge-nf-call-iptables', '0']], [['bridge/bridge-nf-call-ip6tables', '0']]);
  }
  return sets.flatMap((values) => {
    const wanted = values.filter(
      ([path, value]) =>
        state.sysctls[path] !== undefined && state.sysctls[path] !== value && isOfFamily(path, original.family),
    );
    return wanted.length === 0 ? [] : [setting(wanted, wanted.length)];
  });
}

function isOfFamily(path: string, family: 4 | 6): boolean {
  return !/^ipv[46]\/conf/.test(path) || path.startsWith(`ipv${family}/`);
}

function setting(values: readonly (readonly [path: string, value: string])[], breadth: number): Intervention {
  const before = new Map<string, string | undefined>();
  const [first] = values;
  const isAlike = values.every(([, value]) => value === first?.[1]);
  return {
    element: {
      kind: 'sysctl',
      element: values.map(([path]) => dotted(path)).join(' and '),
      change: isAlike ? (first?.[1] ?? '') : values.map(([, value]) => value).join(' and '),
    },
    rank: 'existing',
    breadth,
    ...(values.some(([path]) => DISTURBS.test(path)) ? { disturbs: true as const } : {}),
    apply({ twin }) {
      for (const [path, value] of values) {
        for (const one of affected(path, twin.state.links)) before.set(one, twin.readSysctl(one));
        twin.writeSysctl(path, value);
      }
    },
    revert({ twin }) {
      for (const [path, value] of before) {
        if (value !== undefined && twin.readSysctl(path) !== value) twin.writeSysctl(path, value);
      }
      before.clear();
    },
  };
}

/** What writing a setting changes: forwarding for all sets that of each interface. */
function affected(path: string, links: Bench['twin']['state']['links']): string[] {
  const [, family, name] = /^(ipv[46])\/(?:conf\/all\/)?(ip_forward|forwarding)$/.exec(path) ?? [];
  if (name === undefined) return [path];
  return [path, `${family}/conf/default/forwarding`, ...links.map((link) => `${family}/conf/${link.name}/forwarding`)];
}

/** `ipv4/conf/eth0.5/rp_filter` as sysctl(8) names it: `net.ipv4.conf.eth0/5.rp_filter`. */
export function dotted(path: string): string {
  return `net.${path.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))}`;
}
