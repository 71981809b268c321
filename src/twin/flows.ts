import { covers } from '../formats/iproute/prefix.ts';
import { canonicalAddress } from '../formats/wire/canonical-address.ts';
import type { HostState, SocketState } from './state.ts';
import type { SynSpec } from './syn.ts';

const SOURCE_PORT = 47_113;
const MAX_LISTENERS = 24;
const MAX_FLOWS = 96;
/** Addresses that nobody has (RFC 5737, RFC 3849): somebody far away. */
const FAR: Readonly<Record<4 | 6, string>> = { 4: '198.51.100.78', 6: '2001:db8:77::78' };

/** SYNs from a few sources to every listener of a host, so that it can be seen what else a change changes. The one in question is left out. */
export function otherFlows(state: HostState, syn: SynSpec): SynSpec[] {
  const flows: SynSpec[] = [];
  const seen = new Set([`${syn.source} ${syn.destination} ${syn.destinationPort}`]);
  for (const listener of state.sockets.filter((one) => one.state === 'LISTEN').slice(0, MAX_LISTENERS)) {
    for (const family of [4, 6] as const) {
      const destination = addressOf(listener, family, state, syn);
      if (destination === undefined) continue;
      for (const source of sources(state, syn, family)) {
        const key = `${source} ${destination} ${listener.local.port}`;
        if (seen.has(key) || flows.length >= MAX_FLOWS) continue;
        seen.add(key);
        flows.push({ family, source, sourcePort: SOURCE_PORT, destination, destinationPort: listener.local.port });
      }
    }
  }
  return flows;
}

/** An address on which a listener can be reached from outside; undefined when it cannot. */
function addressOf(
  { local, family: own, v6only, device }: SocketState,
  family: 4 | 6,
  { addresses }: HostState,
  syn: SynSpec,
): string | undefined {
  const isWild = local.address === '0.0.0.0' || local.address === '::';
  if (!isWild) {
    const isLocal = local.address.startsWith('127.') || local.address === '::1' || local.address.startsWith('fe80');
    return !isLocal && local.address.includes(':') === (family === 6) ? local.address : undefined;
  }
  if (own === 4 ? family === 6 : family === 4 && v6only === true) return undefined;
  if (family === syn.family && device === undefined) return syn.destination;
  return addresses.find(
    (one) => one.family === family && one.scope === 'global' && (device === undefined || one.device === device),
  )?.address;
}

/** The client, another client of its network, a neighbour, and somebody far away. */
function sources({ neighbours }: HostState, syn: SynSpec, family: 4 | 6): string[] {
  const near = neighbours.find(
    ({ address, states }) =>
      address.includes(':') === (family === 6) &&
      !address.startsWith('fe80') &&
      !states.some((state) => /FAILED|INCOMPLETE|NOARP/.test(state)),
  )?.address;
  const client = family === syn.family ? [syn.source, besides(syn.source)] : [];
  return [...client, near, FAR[family]].filter((address) => address !== undefined);
}

/** Another address of the same small network. */
function besides(address: string): string | undefined {
  const other = address.includes(':')
    ? address.replace(/[^:]*$/, (last) => (Number.parseInt(last || '0', 16) ^ 0x10).toString(16))
    : address.replace(/\d+$/, (last) => String(Number(last) ^ 16));
  const canonical = canonicalAddress(other)?.address;
  const isNear =
    canonical !== undefined && covers(address.includes(':') ? `${address}/64` : `${address}/24`, canonical);
  return isNear ? canonical : undefined;
}
