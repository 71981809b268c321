import type { NetlinkAddress } from '../../formats/netlink/address.ts';
import type { NetlinkRoute } from '../../formats/netlink/route.ts';
import { AF_INET6 } from '../../formats/netlink/rtnetlink.ts';
import type { NetlinkRule } from '../../formats/netlink/rule.ts';

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'ra',
  16: 'dhcp',
  186: 'bgp',
  188: 'ospf',
};
const TYPES: Readonly<Record<number, string>> = { 6: 'blackhole', 7: 'unreachable', 8: 'prohibit', 9: 'throw' };
const TABLES: Readonly<Record<number, string>> = { 253: 'default', 255: 'local' };
const MAIN_TABLE = 254;

/** A route in the words of ip(8): `default via fe80::1 dev eth0 proto ra metric 1024`. */
export function routeText(route: NetlinkRoute, deviceName: (index: number) => string): string {
  const words: string[] = [];
  const type = TYPES[route.type];
  if (type !== undefined) words.push(type);
  const full = route.family === AF_INET6 ? 128 : 32;
  words.push(
    route.destination === undefined || route.destinationLength === 0
      ? 'default'
      : route.destinationLength === full
        ? route.destination
        : `${route.destination}/${route.destinationLength}`,
  );
  if (route.source !== undefined && route.sourceLength > 0) words.push('from', `${route.source}/${route.sourceLength}`);
  for (const hop of route.nexthops.slice(0, 8)) {
    if (route.nexthops.length > 1) words.push('nexthop');
    if (hop.gateway !== undefined) {
      const otherFamily = hop.gateway.includes(':') !== (route.family === AF_INET6);
      words.push('via', ...(otherFamily ? ['inet6'] : []), hop.gateway);
    }
    if (hop.linkIndex !== undefined) words.push('dev', deviceName(hop.linkIndex));
  }
  if (route.table !== MAIN_TABLE) words.push('table', TABLES[route.table] ?? String(route.table));
  const protocol = PROTOCOLS[route.protocol];
  if (protocol !== undefined && protocol !== 'boot') words.push('proto', protocol);
  if (route.metric !== undefined && route.metric !== 0) words.push('metric', String(route.metric));
  return words.join(' ');
}

/** An address in the words of ip(8): `192.0.2.1/24 dev eth0`. */
export function addressText(
  { address, prefixLength, linkIndex }: NetlinkAddress,
  deviceName: (index: number) => string,
): string {
  return `${address}/${prefixLength} dev ${deviceName(linkIndex)}`;
}

/** A rule in the words of ip(8), as far as it is told: `rule 100: from 192.0.2.0/24 lookup 7`. */
export function ruleText(rule: NetlinkRule): string {
  const words = [`rule ${rule.priority}:`, ...(rule.inverted ? ['not'] : [])];
  words.push('from', rule.from === undefined ? 'all' : `${rule.from}/${rule.fromLength}`);
  if (rule.to !== undefined) words.push('to', `${rule.to}/${rule.toLength}`);
  if (rule.mark !== undefined) words.push('fwmark', `0x${rule.mark.toString(16)}`);
  if (rule.inDevice !== undefined) words.push('iif', rule.inDevice);
  if (rule.outDevice !== undefined) words.push('oif', rule.outDevice);
  const action = { 6: 'blackhole', 7: 'unreachable', 8: 'prohibit' }[rule.action];
  words.push(action ?? `lookup ${rule.table === MAIN_TABLE ? 'main' : (TABLES[rule.table] ?? rule.table)}`);
  return words.join(' ');
}
