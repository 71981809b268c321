import { addressNumber, type Bits, bits, isKnown, prefixRange, unknownBits } from '../../formats/netfilter/bits.ts';
import type { Names } from '../../formats/netfilter/names.ts';
import type { AddressType } from '../../formats/netfilter/packet.ts';
import { depends, type Truth, UNKNOWN } from '../../formats/netfilter/truth.ts';
import type { FilterHost } from '../../formats/netfilter/view.ts';
import type { LinkAddress } from '../../model/facts/links.ts';
import type { Route, RoutingRule } from '../../model/facts/routing.ts';
import { type AttemptScope, known } from './collector.ts';

/** What rules may ask of the host, answered by the other facts. */
export function filterHost(scope: AttemptScope): FilterHost {
  return new FactHost(scope);
}

/** An address as rules see it: without the zone; unknown when nobody knows it (`0.0.0.0`, `::`). */
export function addressBits(address: string, family: 4 | 6): Bits {
  const parsed = addressNumber(address.split('%')[0] ?? '');
  if (parsed === undefined || parsed.family !== family || parsed.value === 0n) {
    return unknownBits(family === 4 ? 32 : 128);
  }
  return bits(parsed.value);
}

/** Whether routing asks for nothing but the destination: the three rules of the kernel, and no others. */
function routesPlainly(rules: readonly RoutingRule[] | undefined, family: 4 | 6): boolean {
  const own = rules?.filter((rule) => rule.family === family);
  return own?.every(isPlain) === true && own.length > 0;
}

function isPlain({
  action,
  table,
  from,
  to,
  iif,
  oif,
  fwmark,
  not,
  sourcePorts,
  destinationPorts,
  ...rest
}: RoutingRule): boolean {
  const selects =
    [to, iif, oif, fwmark, not, sourcePorts, destinationPorts].some((one) => one !== undefined) ||
    [rest.uids, rest.ipProtocol, rest.tos, rest.suppressPrefixLength, rest.l3mdev].some((one) => one !== undefined) ||
    (from !== undefined && from !== 'all');
  return action === 'lookup' && ['local', 'main', 'default'].includes(table ?? '') && !selects;
}

class FactHost implements FilterHost {
  readonly ipsec?: boolean;
  private readonly scope: AttemptScope;
  private readonly family: 4 | 6;
  private readonly own: readonly (LinkAddress & { readonly value: bigint })[] | undefined;
  private readonly routes: readonly Route[] | undefined;

  constructor(scope: AttemptScope) {
    this.scope = scope;
    this.family = scope.attempt.family;
    this.own = known(scope, 'addresses')?.flatMap((one) => {
      const parsed = addressNumber(one.address.split('%')[0] ?? '');
      return parsed?.family === this.family ? [{ ...one, value: parsed.value }] : [];
    });
    this.routes = known(scope, 'routes')?.filter(({ family }) => family === this.family);
    if (known(scope, 'xfrmPolicies')?.length === 0) this.ipsec = false;
  }

  addressType(address: Bits, type: AddressType, device?: Names): Truth {
    if (!isKnown(address)) return address.doubt ?? UNKNOWN;
    const found = this.typeOf(address.value);
    if (found === undefined) {
      return this.own !== undefined && ['local', 'broadcast', 'multicast'].includes(type) ? false : UNKNOWN;
    }
    if (found !== 'local' || type !== 'local' || device === undefined) return found === type;
    const on = this.own?.filter(({ value }) => value === address.value).map((one) => one.device);
    if (on === undefined || on.length === 0) return UNKNOWN;
    return device.every((name) => on.includes(name))
      ? true
      : device.some((name) => on.includes(name))
        ? UNKNOWN
        : false;
  }

  redirectAddress(device: Names): Bits {
    if (device?.length === 1 && device[0] === '') return bits(this.family === 4 ? 0x7f00_0001 : 1);
    const candidates = this.own?.filter((one) => device?.length === 1 && one.device === device[0]) ?? [];
    // IPv4 takes the first address of the device, IPv6 one that depends on its scope.
    const first = candidates[0];
    return first !== undefined && (this.family === 4 || candidates.length === 1)
      ? bits(first.value)
      : unknownBits(this.family === 4 ? 32 : 128);
  }

  deviceTowards(address: Bits): Names {
    if (!isKnown(address) || !routesPlainly(known(this.scope, 'rules'), this.family)) return undefined;
    const route = this.routeTo(address.value, 'main');
    const devices = new Set(route?.nextHops.map(({ device }) => device));
    const [device] = devices;
    return devices.size === 1 && device !== undefined ? [device] : undefined;
  }

  deviceKind(name: string): string | undefined {
    const link = known(this.scope, 'links')?.find((one) => one.name === name);
    return link === undefined ? undefined : (link.kind ?? '');
  }

  queueBound(number: number): boolean | undefined {
    return known(this.scope, 'nfQueues')?.some((queue) => queue.number === number);
  }

  private typeOf(address: bigint): AddressType | undefined {
    if (this.family === 4 ? address >> 28n === 0xen : address >> 120n === 0xffn) return 'multicast';
    if (this.family === 4 && (address === 0xffff_ffffn || this.isBroadcast(address))) return 'broadcast';
    if (this.family === 4 ? address >> 24n === 127n : address === 1n) return 'local';
    if (this.own?.some(({ value }) => value === address) || this.routeTo(address, 'local')?.type === 'local')
      return 'local';
    return this.attemptType(address);
  }

  /** What the lookups of the attempt say of its two addresses. */
  private attemptType(address: bigint): AddressType | undefined {
    const { attempt } = this.scope;
    const at = ({ address: text }: { readonly address: string }): boolean => addressNumber(text)?.value === address;
    const outgoing = known(this.scope, 'outgoingRoute');
    const incoming = known(this.scope, 'incomingRoute');
    const peer = attempt.side === 'server' ? attempt.client : attempt.server;
    const self = attempt.side === 'server' ? attempt.server : attempt.client;
    if (at(self) && incoming?.ok === true && incoming.type === 'local') return 'local';
    if (!at(peer) || outgoing === undefined) return undefined;
    if (outgoing.ok) return outgoing.type === undefined || outgoing.type === 'nat' ? 'unicast' : outgoing.type;
    const { failure } = outgoing;
    return failure === 'blackhole' || failure === 'prohibit' || failure === 'unreachable' ? failure : undefined;
  }

  private isBroadcast(address: bigint): boolean {
    return (
      this.own?.some(({ value, prefixLength }) => {
        if (prefixLength >= 31) return false;
        return prefixRange(value, prefixLength, 4).last === address;
      }) === true
    );
  }

  /** The longest prefix, then the smallest metric. */
  private routeTo(address: bigint, table: string): Route | undefined {
    let best: { readonly route: Route; readonly length: number } | undefined;
    for (const route of this.routes ?? []) {
      if (route.table !== table) continue;
      const [base = '', length = ''] = route.destination.split('/');
      const parsed = addressNumber(base);
      const bitsLong = length === '' ? (this.family === 4 ? 32 : 128) : Number(length);
      if (parsed?.family !== this.family || Number.isNaN(bitsLong)) continue;
      const { first, last } = prefixRange(parsed.value, bitsLong, this.family);
      if (address < first || address > last) continue;
      const better =
        best === undefined ||
        bitsLong > best.length ||
        (bitsLong === best.length && (route.metric ?? 0) < (best.route.metric ?? 0));
      if (better) best = { route, length: bitsLong };
    }
    return best?.route;
  }
}

/** Whether the way back to the source exists, and leaves by the device through which the packet came. */
export function returnPath(
  scope: AttemptScope,
  inDevice: Names,
): { readonly exists: Truth; readonly sameDevice: Truth } {
  const route = known(scope, 'outgoingRoute');
  const doubt = depends('reverse-path');
  const plain = routesPlainly(known(scope, 'rules'), scope.attempt.family);
  if (route === undefined) return { exists: doubt, sameDevice: doubt };
  if (!route.ok) {
    // The lookup was asked with ports, which the check of a rule does not know.
    const none = route.failure === 'no-route' && plain ? false : doubt;
    return { exists: none, sameDevice: none };
  }
  const same = inDevice?.length === 1 && route.device === inDevice[0];
  if (same) return { exists: plain ? true : doubt, sameDevice: plain ? true : doubt };
  const single = scope.attempt.family === 4 && route.matchedRoute?.nextHops.length === 1 && inDevice?.length === 1;
  return { exists: plain ? true : doubt, sameDevice: plain && single ? false : doubt };
}
