import { ICMP_ERRORS } from '../../formats/wire/icmp-registry.ts';
import type { GlossaryEntry } from './entry.ts';

/** What connect() returns on Linux, by IP version, type and code where they differ from {@link BY_TYPE}. */
const ERRNO_BY_CODE: Readonly<Record<string, string>> = {
  // icmp_err_convert in net/ipv4/icmp.c
  '4/3/0': 'ENETUNREACH',
  '4/3/1': 'EHOSTUNREACH',
  '4/3/2': 'ENOPROTOOPT',
  '4/3/3': 'ECONNREFUSED',
  '4/3/4': '',
  '4/3/5': 'EOPNOTSUPP',
  '4/3/6': 'ENETUNREACH',
  '4/3/7': 'EHOSTDOWN',
  '4/3/8': 'ENONET',
  '4/3/9': 'ENETUNREACH',
  '4/3/10': 'EHOSTUNREACH',
  '4/3/11': 'ENETUNREACH',
  '4/3/12': 'EHOSTUNREACH',
  '4/3/13': 'EHOSTUNREACH',
  '4/3/14': 'EHOSTUNREACH',
  '4/3/15': 'EHOSTUNREACH',
  // tab_unreach in net/ipv6/icmp.c; codes beyond it keep EPROTO
  '6/1/0': 'ENETUNREACH',
  '6/1/1': 'EACCES',
  '6/1/2': 'EHOSTUNREACH',
  '6/1/3': 'EHOSTUNREACH',
  '6/1/4': 'ECONNREFUSED',
  '6/1/5': 'EACCES',
  '6/1/6': 'EACCES',
  '6/1/7': 'EPROTO',
  '6/1/8': 'EPROTO',
};

/** tcp_v4_err() in net/ipv4/tcp_ipv4.c; icmpv6_err_convert() in net/ipv6/icmp.c. */
const BY_TYPE: Readonly<Record<string, string>> = {
  '4/4': '',
  '4/11': 'EHOSTUNREACH',
  '4/12': 'EPROTO',
  '6/2': '',
  '6/3': 'EHOSTUNREACH',
  '6/4': 'EPROTO',
};

/** Names that iptables, nftables and users have for these errors. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  '4/3/0': ['icmp-net-unreachable', 'network unreachable'],
  '4/3/1': ['icmp-host-unreachable'],
  '4/3/2': ['icmp-proto-unreachable'],
  '4/3/3': ['icmp-port-unreachable'],
  '4/3/4': ['fragmentation needed', 'frag-needed', 'need to frag'],
  '4/3/9': ['icmp-net-prohibited'],
  '4/3/10': ['icmp-host-prohibited'],
  '4/3/13': ['icmp-admin-prohibited', 'admin prohibited', 'administratively prohibited', 'packet filtered'],
  '4/11/0': ['ttl exceeded', 'time exceeded', 'ttl-exceeded in transit'],
  '6/1/0': ['icmp6-no-route', 'no-route'],
  '6/1/1': ['icmp6-adm-prohibited', 'icmpv6-admin-prohibited', 'admin-prohibited'],
  '6/1/3': ['icmp6-addr-unreachable', 'addr-unreachable'],
  '6/1/4': ['icmp6-port-unreachable'],
  '6/1/5': ['icmp6-policy-fail', 'policy-fail'],
  '6/1/6': ['icmp6-reject-route', 'reject-route'],
  '6/3/0': ['hop limit exceeded', 'time exceeded'],
};

/** An entry for every ICMP and ICMPv6 error of the registry. */
export function icmpEntries(): GlossaryEntry[] {
  return Object.entries(ICMP_ERRORS).map(([key, { name, implication }]) => {
    const [version, type, code] = key.split('/');
    const protocol = version === '4' ? 'ICMP' : 'ICMPv6';
    const errno = ERRNO_BY_CODE[key] ?? BY_TYPE[`${version}/${type}`] ?? '';
    return {
      kind: 'icmp',
      word: `${version === '4' ? 'icmp' : 'icmp6'} ${type}/${code}`,
      aliases: [...(version === '6' ? [`icmpv6 ${type}/${code}`] : []), name, ...(OTHER_NAMES[key] ?? [])],
      title: name,
      meaning: `${protocol} type ${type}, code ${code}: ${implication.replaceAll('`', '')}.`,
      wire: `SYN, then ${protocol} type ${type} code ${code} that quotes the beginning of the SYN. Its source address is the box that reports; it may be a router, a firewall, or the server itself. A NAT on the way back may have rewritten that address.`,
      application: application(version === '4', errno),
      checks: [
        {
          statement: 'Who sends it:',
          command:
            version === '4'
              ? `tcpdump -vni any 'icmp[0] == ${type} and icmp[1] == ${code}'`
              : `tcpdump -vni any 'icmp6 and ip6[40] == ${type} and ip6[41] == ${code}'`,
        },
      ],
      seeAlso: [
        'unreachable',
        'icmp-from-router',
        'icmp-from-server',
        ...(errno === '' || RARE.has(errno) ? ['MSS'] : [errno]),
      ],
      references:
        version === '4'
          ? [
              'RFC 792',
              'RFC 1812 section 5.2.7',
              'tcp_v4_err() in net/ipv4/tcp_ipv4.c; icmp_err_convert in net/ipv4/icmp.c',
            ]
          : ['RFC 4443 section 3', 'tcp_v6_err() in net/ipv6/tcp_ipv6.c; icmpv6_err_convert() in net/ipv6/icmp.c'],
    };
  });
}

/** Errors of connect() without an entry of their own. */
const RARE: ReadonlySet<string> = new Set(['ENOPROTOOPT', 'EOPNOTSUPP', 'EHOSTDOWN', 'ENONET', 'EPROTO']);

function application(ipv4: boolean, errno: string): string {
  if (errno === '') {
    return 'connect() does not fail because of it: Linux takes it for a hint about the path, or ignores it.';
  }
  const first = `connect() fails with ${errno} on Linux.`;
  return ipv4
    ? `${first} An error that arrives while connect() still holds the socket is only remembered; a blocking connect() then fails at the next one, about 1 s later.`
    : `${first} An error that arrives while connect() still holds the socket is only remembered, and the next one counts, about 1 s later.`;
}
