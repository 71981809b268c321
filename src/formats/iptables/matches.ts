import { allOf, type Condition, depends, type Truth, UNKNOWN, xor } from '../netfilter/truth.ts';
import { ipsetHolds } from './ipset.ts';
import { connmarkHolds, conntrackHolds, MARK, STATE } from './match-connection.ts';
import { HOPS, IPRANGE, MULTIPORT, OWN, PKTTYPE, TCP, TCPMSS } from './match-header.ts';
import { ADDRTYPE, ownerHolds, physdevHolds, policyHolds, recentHolds, reversePathHolds } from './match-host.ts';
import { type OptionTests, type Scene, testOptions } from './matcher.ts';
import type { Matcher } from './specification.ts';

/** Modules whose options are asked one by one. */
const BY_OPTION: Readonly<Record<string, OptionTests>> = {
  '': OWN,
  tcp: TCP,
  multiport: MULTIPORT,
  iprange: IPRANGE,
  ttl: HOPS,
  hl: HOPS,
  tcpmss: TCPMSS,
  pkttype: PKTTYPE,
  state: STATE,
  mark: MARK,
  addrtype: ADDRTYPE,
};

/** Modules that answer as a whole. */
const AS_WHOLE: Readonly<Record<string, (matcher: Matcher, scene: Scene) => Truth>> = {
  comment: () => true,
  connmark: connmarkHolds,
  conntrack: conntrackHolds,
  owner: ownerHolds,
  rpfilter: reversePathHolds,
  physdev: physdevHolds,
  policy: policyHolds,
  recent: recentHolds,
  set: setHolds,
};

/** Modules for other protocols than TCP, and for headers that packets of a handshake do not have. */
const NEVER: readonly string[] = [
  ...['udp', 'udplite', 'icmp', 'icmp6', 'icmpv6', 'sctp', 'dccp', 'esp', 'ah', 'ipcomp'],
  ...['rt', 'frag', 'mh', 'hbh', 'dst', 'ipv4options'],
];

/** Modules whose outcome hangs on something that nobody can see. */
const HANG_ON: Readonly<Record<string, Condition>> = {
  limit: 'rate-limit',
  hashlimit: 'rate-limit',
  quota: 'rate-limit',
  rateest: 'rate-limit',
  connlimit: 'connection-limit',
  connbytes: 'ct-state',
  connlabel: 'ct-state',
  helper: 'ct-state',
  statistic: 'random',
  geoip: 'set',
  time: 'time',
  ecn: 'ecn',
  osf: 'options',
  socket: 'owner',
  cgroup: 'owner',
};

/** Whether a match of a rule holds for a packet. */
export function matcherHolds(matcher: Matcher, scene: Scene): Truth {
  const { module } = matcher;
  if (Object.hasOwn(BY_OPTION, module)) return allOf(testOptions(BY_OPTION[module]!, matcher, scene));
  if (Object.hasOwn(AS_WHOLE, module)) return AS_WHOLE[module]!(matcher, scene);
  if (NEVER.includes(module)) return false;
  return Object.hasOwn(HANG_ON, module) ? depends(HANG_ON[module]!) : UNKNOWN;
}

function setHolds({ options }: Matcher, { view, ipsets }: Scene): Truth {
  return allOf(
    options.map(({ name, negated, values }): Truth => {
      if (name === '--match-set') return xor(ipsetHolds(values[0], values[1], view, ipsets), negated);
      return name === '--return-nomatch' || name.startsWith('--update-') ? true : UNKNOWN;
    }),
  );
}
