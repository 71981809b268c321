import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../src/formats/wire/address.ts';
import { drawAddresses, namesFor, RUN_PATTERN } from './plan-names.ts';

describe('names of a run', () => {
  it('are the same for the same seed, but for the run itself', () => {
    const [first, second] = [drawAddresses(42), drawAddresses(42)];
    expect({ ...first, run: '' }).toEqual({ ...second, run: '' });
    expect(first.run).not.toBe(second.run);
    expect(first.run).toMatch(RUN_PATTERN);
    expect({ ...drawAddresses(43), run: '' }).not.toEqual({ ...first, run: '' });
  });

  it('lie in ranges meant for tests, and no two are the same', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.constantFrom(4 as const, 6 as const), (seed, family) => {
        const addresses = drawAddresses(seed);
        const names = namesFor(addresses, family);
        const { client, server } = addresses.links[family];
        const all = [
          ...[names.client, names.server, names.clientGateway, names.serverGateway, names.elsewhere],
          ...[
            names.unusedOnClientLink,
            names.unusedOnServerLink,
            client.spare,
            server.spare,
            client.second,
            server.second,
          ],
        ];
        expect(new Set(all).size).toBe(all.length);
        for (const address of all) {
          const bytes = parseAddress(address)!;
          // 198.18.0.0/15 (RFC 2544), 2001:db8::/32 (RFC 3849).
          if (family === 4) expect([bytes[0], bytes[1]! & 0xfe]).toEqual([198, 18]);
          else expect([...bytes.subarray(0, 4)]).toEqual([0x20, 0x01, 0x0d, 0xb8]);
        }
        expect(new Set([names.clientPrefix, names.serverPrefix, names.elsewherePrefix]).size).toBe(3);
        expect(names.port).toBeGreaterThan(1023);
        expect(names.port).toBeLessThan(32_768);
        expect(names.routerClientDevice).not.toBe(names.routerServerDevice);
      }),
    );
  });
});
