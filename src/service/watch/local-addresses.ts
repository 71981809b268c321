import { parseAddress } from '../../formats/wire/address.ts';
import { foldIpv6 } from '../../handshake/fold-address.ts';

/** The addresses of one network namespace, to be compared with those in the rows of an attempt table. */
export class LocalAddresses {
  private readonly v4: Map<number, number> = new Map();
  private readonly v6: Map<number, number> = new Map();

  /** An address may be on several interfaces: it is local until it was removed from each. */
  add(address: string): void {
    this.change(address, 1);
  }

  remove(address: string): void {
    this.change(address, -1);
  }

  clear(): void {
    this.v4.clear();
    this.v6.clear();
  }

  /** Whether the address in four words at `offset` is one of this namespace; loopback always is. */
  has(words: Int32Array, offset: number, ipv6: boolean): boolean {
    const first = words[offset]!;
    if (!ipv6) return first >>> 24 === 127 || this.v4.has(first);
    const [b, c, d] = [words[offset + 1]!, words[offset + 2]!, words[offset + 3]!];
    // ::ffff:0:0/96 is IPv4 on a socket of IPv6, and never on the wire.
    if (first === 0 && b === 0 && c === 0 && d === 1) return true;
    return this.v6.has(foldIpv6(first, b, c, d));
  }

  private change(address: string, by: number): void {
    const bytes = parseAddress(address);
    if (bytes === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const table = bytes.length === 4 ? this.v4 : this.v6;
    const key =
      bytes.length === 4
        ? view.getInt32(0)
        : foldIpv6(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12));
    const count = (table.get(key) ?? 0) + by;
    if (count > 0) table.set(key, count);
    else table.delete(key);
  }
}
