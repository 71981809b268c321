import type { ProofElement } from '../model/proof.ts';
import type { Explanation, Replay, TwinRole } from '../twin/syn.ts';

/** What the copy showed, as far as it tells which cause of the catalogue it is. */
export interface ProvenSigns {
  readonly guilty: readonly ProofElement[];
  readonly baseline: Replay;
  readonly explanation?: Explanation;
  /** Only a burst of SYNs is dropped. */
  readonly isLimit: boolean;
  /** What the host is to the connection. */
  readonly role: TwinRole;
}

/**
 * Causes of the catalogue that what was proven can be, the plainest first. The first may be named without further signs when `isPlain`.
 */
export interface ProvenCauses {
  readonly ids: readonly string[];
  readonly isPlain: boolean;
}

const NONE: ProvenCauses = { ids: [], isPlain: false };

/** The causes that a proven set of elements stands for. Of several elements the first that says anything decides. */
export function causesOf(signs: ProvenSigns): ProvenCauses {
  if (signs.baseline.remark === 'reset-after-ack') return plain('synproxy-misconfigured');
  const judge = signs.role === 'server' ? causesOfElement : causesElsewhere;
  const found = signs.guilty.map((element) => judge(element, signs)).filter(({ ids }) => ids.length > 0);
  const [first] = found;
  if (first === undefined) return NONE;
  return found.length === 1 ? first : { ids: [...new Set(found.flatMap(({ ids }) => ids))], isPlain: first.isPlain };
}

function causesOfElement(element: ProofElement, signs: ProvenSigns): ProvenCauses {
  switch (element.kind) {
    case 'nft-rule':
    case 'nft-policy':
    case 'nft-element':
    case 'nft-table':
    case 'iptables-rule':
    case 'iptables-policy':
      return ofFilter(element, signs);
    case 'route':
      return ofRoute(element);
    case 'router-advertisement':
      return plain('no-return-route', 'ipv6-disabled-server');
    case 'rule':
      return plain('return-rule-rejected', 'no-return-route', 'return-path-asymmetric', 'synack-neighbour-unresolved');
    case 'sysctl':
      return ofSysctl(element.element);
    case 'neighbour':
    case 'world':
      return plain('synack-neighbour-unresolved', 'return-path-lost');
    case 'address':
      if (element.change === 'added') {
        return plain('not-my-address', 'ipv6-address-tentative', 'ipv6-dad-failed', 'ipv6-disabled-server');
      }
      if (element.change === 'usable') {
        return element.text?.includes('dadfailed') === true
          ? plain('ipv6-dad-failed')
          : plain('ipv6-address-tentative');
      }
      return plain(element.element.includes(':') ? 'own-address-source-ipv6' : 'martian-source');
    case 'listener':
      return ofListener(element.change);
    case 'accept-queue':
      if (signs.isLimit) return plain('reuseport-stuck-member', 'accept-queue-full');
      return plain('accept-queue-full', 'accept-emfile', 'listener-process-stopped', 'reuseport-stuck-member');
    case 'syn-queue':
      return plain('syn-queue-full', 'syn-queue-last-quarter');
    case 'old-connection':
      return element.element.includes('TIME-WAIT')
        ? plain('timewait-paws', 'timewait-old-sequence', 'tw-recycle-nat')
        : plain('half-open-established', 'syn-to-request-sock');
    case 'link':
      if (element.change === 'on') return plain('arp-suppressed');
      return unclear('no-return-route', 'synack-neighbour-unresolved', 'rp-filter-no-route', 'return-path-lost');
    case 'bridge-port':
      return plain('l2-misconfiguration');
    case 'xfrm-policy':
      return ofPolicy(element);
    case 'qdisc':
      return plain('synack-tc-qdisc-drop');
    case 'tc-filter':
      return plain(element.element.includes(' ingress ') ? 'tc-ingress-drop' : 'synack-tc-qdisc-drop');
    case 'packet':
      return ofPacket(element.element, signs);
    default:
      return NONE;
  }
}

/** The causes of a router (the path), and of a client. */
function causesElsewhere({ kind, element, change }: ProofElement, { role, baseline }: ProvenSigns): ProvenCauses {
  const isRouter = role === 'router';
  if (/^(?:nft|iptables)-/.test(kind)) {
    const refuses = baseline.reply === 'rst' || baseline.reply === 'icmp';
    if (isRouter) return plain(refuses ? 'path-firewall-reject' : 'path-firewall-drop-syn');
    if (baseline.reply === 'syn-sent') return plain('client-input-drop');
    return refuses
      ? plain('client-output-reject', 'client-output-drop')
      : plain('client-output-drop', 'client-output-reject');
  }
  if (kind === 'route' && change === 'added') return plain(isRouter ? 'router-no-route' : 'client-no-route');
  if (kind === 'route' && /^(?:-6 )?(?:blackhole|unreachable|prohibit)\b/.test(element)) {
    return plain(isRouter ? 'router-reject-route' : 'client-reject-route');
  }
  if (kind === 'rule') return plain(isRouter ? 'router-reject-route' : 'client-rule-reject');
  if (kind === 'neighbour' || kind === 'world') {
    return plain(isRouter ? 'router-neighbour-unresolved' : 'client-neighbour-unresolved');
  }
  if (kind === 'sysctl' && /forward/.test(element)) return plain('router-forwarding-off');
  if (kind === 'sysctl' && /rp_filter/.test(element)) return isRouter ? NONE : plain('client-rp-filter');
  if (kind === 'link') return isRouter ? NONE : plain('client-link-down');
  return kind === 'xfrm-policy' && !isRouter ? plain('client-xfrm-out-block') : NONE;
}

function plain(...ids: readonly string[]): ProvenCauses {
  return { ids, isPlain: true };
}

/** Several causes look like this, and none is so usual that it may be named without a sign of its own. */
function unclear(...ids: readonly string[]): ProvenCauses {
  return { ids, isPlain: false };
}

/** Chains that a SYN-ACK passes, by their usual names. */
const OUTPUT = /\b(?:output|postrouting|egress)\b/i;
const SPECIAL: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\bsynproxy\b/i, ['synproxy-misconfigured']],
  [/\b(?:nf)?queue\b/i, ['nfqueue-no-listener']],
  [/\bct count\b|connlimit/i, ['netfilter-connlimit']],
  [/\blimit\b|hashlimit|--seconds|\brecent\b/i, ['netfilter-rate-limit']],
  [/ct state (?:[a-z, {}]*)invalid|ctstate INVALID/i, ['conntrack-invalid-syn', 'asymmetric-stateful-firewall']],
  [/\bdnat\b/i, ['dnat-dead-backend', 'redirect-closed-port']],
  [/\bredirect\b/i, ['redirect-closed-port', 'dnat-dead-backend']],
  [
    /\bmark set\b|MARK --set|\bset-xmark\b/i,
    ['return-rule-rejected', 'no-return-route', 'return-path-asymmetric', 'return-route-rejected'],
  ],
];

/** Rules that drop, or hand on to others. */
const DROPPING =
  /\b(?:drop|reject|jump|goto|vmap|queue)\b|-[jg] (?!(?:CT|NOTRACK|MARK|CONNMARK|LOG|NFLOG|DSCP|TOS|TTL|HL)\b)/i;

function ofFilter(element: ProofElement, { isLimit, baseline }: ProvenSigns): ProvenCauses {
  const text = element.text ?? '';
  const special = SPECIAL.find(([words]) => words.test(text))?.[1];
  if (special !== undefined) return plain(...special, 'netfilter-drop-in', 'synack-output-drop');
  // What only changes how others see the packet does not drop it: the signs have to tell what does.
  if (text !== '' && !DROPPING.test(text))
    return unclear('synack-output-drop', 'netfilter-drop-in', 'netfilter-reject-in');
  if (isLimit) return unclear('netfilter-rate-limit', 'netfilter-connlimit');
  if (OUTPUT.test(element.element)) return plain('synack-output-drop', 'netfilter-drop-in', 'return-rule-rejected');
  const refuses = baseline.reply === 'rst' || baseline.reply === 'icmp' || /\breject\b/i.test(text);
  return refuses
    ? plain('netfilter-reject-in', 'netfilter-drop-in', 'redirect-closed-port', 'dnat-dead-backend')
    : plain(
        'netfilter-drop-in',
        'netfilter-reject-in',
        'nfqueue-no-listener',
        'netfilter-rate-limit',
        'netfilter-connlimit',
        'arp-suppressed',
      );
}

function ofRoute({ element, change }: ProofElement): ProvenCauses {
  if (change === 'added' || change === 'valid again') {
    return plain('no-return-route', 'return-path-no-route', 'rp-filter-no-route', 'no-listener-and-no-route');
  }
  if (/^(?:-6 )?(?:blackhole|unreachable|prohibit|throw)\b/.test(element)) {
    return plain('return-route-rejected', 'rp-filter-no-route', 'no-return-route');
  }
  return unclear(
    'rp-filter-strict',
    'return-path-asymmetric',
    'synack-neighbour-unresolved',
    'return-path-lost',
    'martian-source',
  );
}

const SETTINGS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/rp_filter$/, ['rp-filter-strict', 'rp-filter-no-route']],
  [/disable_ipv6$/, ['ipv6-disabled-server']],
  [/tcp_syncookies$/, ['syn-queue-full', 'syn-queue-last-quarter', 'syncookies-failed']],
  [/tcp_max_syn_backlog$/, ['syn-queue-last-quarter', 'syn-queue-full']],
  [/arp_(?:ignore|filter|announce)$/, ['arp-suppressed']],
  [/(?:route_localnet|accept_local)$/, ['martian-source']],
  [/(?:ip_forward|\.forwarding)$/, ['router-forwarding-off']],
  [/accept_ra|defrtr/, ['no-return-route']],
  [/tcp_fwmark_accept$|fwmark_reflect$/, ['return-rule-rejected', 'no-return-route', 'return-path-asymmetric']],
  [/ignore_routes_with_linkdown$/, ['no-return-route', 'synack-neighbour-unresolved', 'return-path-lost']],
  [/nf_conntrack_tcp_(?:loose|be_liberal)$/, ['conntrack-invalid-syn']],
];

function ofSysctl(name: string): ProvenCauses {
  const [first = ''] = name.split(' and ');
  const ids = SETTINGS.find(([words]) => words.test(first))?.[1];
  return ids === undefined ? NONE : plain(...ids);
}

function ofListener(change: string): ProvenCauses {
  if (change === 'added') {
    return plain(
      'no-listener',
      'listener-wrong-address',
      'listener-wrong-family',
      'listener-wrong-device-or-vrf',
      'listener-in-other-netns',
      'redirect-closed-port',
      'no-listener-and-no-route',
    );
  }
  if (change === 'not bound to a device') return plain('listener-wrong-device-or-vrf');
  if (change === 'without socket filter') return plain('socket-filter');
  if (change === 'without TCP-MD5') return plain('md5-mismatch', 'ao-mismatch');
  if (change === 'without minimum TTL') return plain('min-ttl');
  if (change === 'takes IPv4 too') return plain('listener-wrong-family');
  if (change.startsWith('any address')) return plain('listener-wrong-address', 'listener-wrong-device-or-vrf');
  if (change.startsWith('backlog')) return plain('accept-queue-full', 'syn-queue-full', 'syn-queue-last-quarter');
  return change === 'closed' ? plain('reuseport-stuck-member', 'accept-queue-full', 'listener-process-stopped') : NONE;
}

function ofPolicy({ element, text = '' }: ProofElement): ProvenCauses {
  if (/ dir in$/.test(element)) return plain('xfrm-in-policy');
  return /\btmpl\b/.test(text)
    ? plain('synack-xfrm-no-sa', 'xfrm-out-block-server')
    : plain('xfrm-out-block-server', 'synack-xfrm-no-sa');
}

function ofPacket(element: string, { explanation }: ProvenSigns): ProvenCauses {
  if (element.startsWith('IP header checksum')) return plain('ip-header-error');
  if (element === 'TCP checksum') {
    // Connection tracking calls such a packet invalid, and a rule may drop it before TCP, which would have counted it.
    const isCounted = (explanation?.counters.TcpInCsumErrors ?? 0) > 0;
    return isCounted ? plain('tcp-bad-checksum') : plain('conntrack-invalid-syn', 'tcp-bad-checksum');
  }
  if (element === 'TCP signature') return plain('md5-mismatch', 'ao-mismatch');
  if (element === 'TCP flags') return plain('syn-bad-flags');
  if (element === 'destination MAC address') return plain('wrong-mac', 'l2-broadcast-destination');
  if (element === 'source address') return unclear('martian-source', 'ipv6-invalid-syn', 'own-address-source-ipv6');
  return unclear('min-ttl', 'ip-header-error');
}
