import { formatIpv4, formatIpv6, parseAddress } from '../../formats/wire/address.ts';

/** Networks and clients that are told apart for one incident; more are only counted together. */
const MAX_NETWORKS = 512;
const MAX_CLIENTS = 4096;

/** The network of a client, as clients are grouped: /24 of IPv4, /48 of IPv6. */
export function clientNetwork(address: string): string {
  const bytes = parseAddress(address.split('%')[0] ?? '');
  if (bytes === undefined) return address;
  const view = new DataView(new ArrayBuffer(16));
  const isV4 = bytes.length === 4;
  for (let i = 0; i < (isV4 ? 3 : 6); i++) view.setUint8(i, bytes[i]!);
  return isV4 ? `${formatIpv4(view, 0)}/24` : `${formatIpv6(view, 0)}/48`;
}

/** Counts attempts by the network of their client, with bounded memory. */
export class ClientNetworks {
  private readonly networks: Map<string, number>;
  private readonly known: Set<string> = new Set();
  private more = 0;

  /** @param before what an incident that goes on had. */
  constructor(before: readonly { readonly network: string; readonly attempts: number }[] = [], clients: number = 0) {
    this.networks = new Map(before.map(({ network, attempts }) => [network, attempts]));
    this.more = clients;
  }

  /** @returns whether the network was not known before. */
  add(client: string): boolean {
    if (!this.known.has(client)) {
      if (this.known.size < MAX_CLIENTS) this.known.add(client);
      else this.more++;
    }
    const network = clientNetwork(client);
    const count = this.networks.get(network);
    if (count === undefined && this.networks.size >= MAX_NETWORKS) return false;
    this.networks.set(network, (count ?? 0) + 1);
    return count === undefined;
  }

  has(client: string): boolean {
    return this.networks.has(clientNetwork(client));
  }

  hasClient(client: string): boolean {
    return this.known.has(client);
  }

  /** Clients in all; beyond a bound an attempt is taken for a client. */
  get clients(): number {
    return this.known.size + this.more;
  }

  top(limit: number): { network: string; attempts: number }[] {
    return [...this.networks]
      .map(([network, attempts]) => ({ network, attempts }))
      .sort((a, b) => b.attempts - a.attempts)
      .slice(0, limit);
  }
}
