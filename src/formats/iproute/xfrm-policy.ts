import { covers } from './prefix.ts';

/** One IPsec policy, as `ip xfrm policy` prints it. */
export interface IpXfrmPolicy {
  readonly direction: 'in' | 'out' | 'fwd' | 'other';
  readonly source: string;
  readonly destination: string;
  readonly action: 'allow' | 'block';
  /** Protocols of its templates (`esp`, `ah`). */
  readonly templates: readonly string[];
  /** Protocol of its selector: `tcp`, `icmp`, a number; absent for all. */
  readonly protocol?: string;
  readonly sourcePort?: IpXfrmPort;
  readonly destinationPort?: IpXfrmPort;
  /** Interface of its selector. */
  readonly device?: string;
  /** Only packets whose mark, under this mask, has this value. */
  readonly mark?: { readonly value: number; readonly mask: number };
  /** It is one of an IPsec interface (`if_id`), which ordinary packets never meet. */
  readonly interfaceId?: string;
  /** Lower comes first. */
  readonly priority: number;
  /** As it is printed, on one line. */
  readonly text: string;
}

/** Ports of a selector: the port of the packet under the mask must be this value. */
export interface IpXfrmPort {
  readonly value: number;
  readonly mask: number;
}

/** At most so many policies are kept. */
const MAX_POLICIES = 10_000;

/** Parses `ip xfrm policy`, which has no JSON in any version. Policies of single sockets are left out. */
export function parseXfrmPolicies(output: string): readonly IpXfrmPolicy[] {
  const policies: IpXfrmPolicy[] = [];
  for (const block of output.split(/^(?=src )/m)) {
    if (policies.length >= MAX_POLICIES) break;
    const policy = parsePolicy(block);
    if (policy !== undefined) policies.push(policy);
  }
  return policies;
}

function parsePolicy(block: string): IpXfrmPolicy | undefined {
  const [selector = '', ...rest] = block.split('\n');
  const ends = /^src (\S+) dst (\S+)/.exec(selector);
  const own = rest.filter((line) => !line.startsWith('\t\t') && !line.startsWith('\ttmpl')).join(' ');
  const direction = /\bdir (\S+)/.exec(own)?.[1];
  // "socket in", "socket out": policies of one socket (IP_XFRM_POLICY), which nobody else's packets meet.
  if (ends === null || direction === undefined) return undefined;
  const mark = /\bmark (0x[\da-f]+|\d+)\/(0x[\da-f]+|\d+)/i.exec(own);
  const protocol = /\bproto (\S+)/.exec(selector)?.[1];
  const device = /\bdev (\S+)/.exec(selector)?.[1];
  const interfaceId = /\bif_id (\S+)/.exec(own)?.[1];
  const sourcePort = portOf(selector, 'sport');
  const destinationPort = portOf(selector, 'dport');
  return {
    direction: direction === 'in' || direction === 'out' || direction === 'fwd' ? direction : 'other',
    source: ends[1]!,
    destination: ends[2]!,
    action: /\baction block\b/.test(own) ? 'block' : 'allow',
    templates: [...block.matchAll(/^\ttmpl .*\n\t\tproto (\S+)(?:.*)(?:\n\t\t.*)*/gm)].map((match) => match[1]!),
    ...(protocol === undefined ? {} : { protocol }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(device === undefined ? {} : { device }),
    ...(mark === null ? {} : { mark: { value: Number(mark[1]), mask: Number(mark[2]) } }),
    ...(interfaceId === undefined ? {} : { interfaceId }),
    priority: Number(/\bpriority (\d+)/.exec(own)?.[1] ?? 0),
    text: block.trim().replace(/\s+/g, ' ').slice(0, 1000),
  };
}

/** `dport 443`, or with a mask `dport 1024/0xfc00` (xfrm_selector_print, ip/ipxfrm.c). */
function portOf(selector: string, word: string): IpXfrmPort | undefined {
  const match = new RegExp(`\\b${word} (\\d{1,5})(?:/(0x[\\da-f]+|\\d+))?`, 'i').exec(selector);
  return match === null ? undefined : { value: Number(match[1]), mask: Number(match[2] ?? 0xffff) };
}

/** One packet, as the selector of a policy sees it. */
export interface XfrmFlow {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The interface it goes out through, or came in through. */
  readonly device?: string;
  readonly mark?: number;
}

/** Whether the selector of a policy covers a TCP packet (`xfrm_selector_match()`, net/xfrm/xfrm_policy.c). */
export function xfrmPolicyCovers(policy: IpXfrmPolicy, flow: XfrmFlow): boolean {
  const { protocol, sourcePort, destinationPort, device, mark } = policy;
  return (
    policy.interfaceId === undefined &&
    covers(policy.source, flow.source) &&
    covers(policy.destination, flow.destination) &&
    (protocol === undefined || protocol === 'tcp' || protocol === '6') &&
    portMatches(sourcePort, flow.sourcePort) &&
    portMatches(destinationPort, flow.destinationPort) &&
    (device === undefined || device === flow.device) &&
    (mark === undefined || (((flow.mark ?? 0) & mark.mask) ^ mark.value) === 0)
  );
}

function portMatches(selector: IpXfrmPort | undefined, port: number): boolean {
  return selector === undefined || ((port ^ selector.value) & selector.mask) === 0;
}
