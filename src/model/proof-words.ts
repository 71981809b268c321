import type { ProofElement, TriedRemedy } from './proof.ts';
import { formatList, formatQuantity } from './text.ts';

/** What was done to the copy, as the end of "it answers": `when nft rule inet fw input handle 5 ("drop") is removed`. */
export function whenText(elements: readonly ProofElement[]): string {
  return `when ${formatList(elements.map(changeText))}`;
}

/** One change as a clause: `the route default via 192.0.2.1 is added`. */
export function changeText({ kind, element, change, text }: ProofElement): string {
  const said = text === undefined ? '' : ` (${text})`;
  switch (kind) {
    case 'sysctl':
      return `${element} is ${change}`;
    case 'world':
      return `${element} ${change}`;
    case 'packet':
      return `the ${element} of the packet is ${change}`;
    case 'link':
      return element.endsWith(' arp')
        ? `the interface ${element.slice(0, -4)} speaks ARP`
        : `the interface ${element} is up`;
    case 'bridge-port':
      return `the bridge port ${element} forwards`;
    case 'nft-policy':
    case 'iptables-policy':
      return `the policy of ${element} is ${change}`;
    case 'listener':
      if (change === 'added') return `something listens on ${element}`;
      if (change === 'closed') return `the listener ${element} is closed`;
      return change === 'takes IPv4 too'
        ? `the listener ${element} takes IPv4 too`
        : `the listener ${element} is ${listenerWords(change)}`;
    case 'router-advertisement':
      return `the ${element} announces itself${change.startsWith('added, ') ? ` (${change.slice(7)})` : ''}`;
    case 'accept-queue':
      return `the accept queue of ${element} is ${change}`;
    case 'syn-queue':
      return `on ${element} ${change.replace(' dropped', ' are dropped')}`;
    case 'old-connection':
      return `the old connection of ${element} is ${change}`;
    default:
      return `${KINDS[kind] ?? `the ${kind}`} ${element}${said} is ${change}`;
  }
}

function listenerWords(change: string): string {
  if (change.startsWith('any address')) return `bound to ${change}`;
  return change.startsWith('backlog') ? `given a ${change}` : change;
}

/** One difference between two hosts as a clause: `the route default via 192.0.2.1 was removed`. */
export function differenceText({ kind, element, change }: ProofElement): string {
  const name = `${KINDS[kind] ?? `the ${kind}`} ${element}`;
  return change.includes(' → ') ? `${name} went from ${change.replace(' → ', ' to ')}` : `${name} was ${change}`;
}

const KINDS: Readonly<Record<string, string>> = {
  'nft-rule': 'the nftables rule',
  'nft-element': 'the set element',
  'nft-table': 'the nftables table',
  'iptables-rule': 'the rule',
  route: 'the route',
  rule: 'the routing rule',
  neighbour: 'the neighbour entry',
  address: 'the address',
  'xfrm-policy': 'the IPsec policy',
  qdisc: 'the queueing discipline',
  sysctl: 'the setting',
  link: 'the interface',
  socket: 'the socket',
  nexthop: 'the next hop',
};

/** What became of a repair on a copy: `it helps; of 32 other flows none changes`. */
export function triedText({ answers, alsoChanges, otherFlows, untried }: TriedRemedy): string {
  const helps = answers
    ? 'the SYN is answered after it'
    : untried.length > 0
      ? 'a copy cannot show it'
      : 'the SYN is not answered after it';
  const flows =
    alsoChanges.length === 0
      ? `none of ${formatQuantity(otherFlows, 'other flow')} changes`
      : `this also changes: ${alsoChanges.join('; ')}`;
  const left = untried.length === 0 ? '' : ` (not run in the copy: ${untried.join('; ')})`;
  return `${helps}${left}; ${flows}`;
}
