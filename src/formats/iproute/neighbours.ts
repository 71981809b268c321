import { parseIpJson, present, text, texts } from './ip-json.ts';

/** One entry of the neighbour cache, as `ip -j neigh show` prints it. */
export interface IpNeighbour {
  readonly address: string;
  readonly device: string;
  readonly linkAddress?: string;
  readonly states: readonly string[];
}

/**
 * Parses `ip -j neigh show`, both families.
 * @returns undefined when it is not JSON.
 */
export function parseNeighbours(json: string): readonly IpNeighbour[] | undefined {
  return parseIpJson(json)?.flatMap((entry) => {
    const address = text(entry, 'destination') ?? text(entry, 'dst');
    const device = text(entry, 'dev');
    if (address === undefined || device === undefined) return [];
    return [{ address, device, ...present('linkAddress', text(entry, 'lladdr')), states: texts(entry, 'state') }];
  });
}
