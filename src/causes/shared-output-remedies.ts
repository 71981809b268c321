import type { Remedy } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { hitName } from './shared-filter.ts';

/** Repairs for a rule of this host that stops its own SYN on the way out. A person decides. */
export function outputRemedies(hit: FilterHit, attempt: Attempt): Remedy[] {
  const { tool, family, table, chain, handle, policy } = hit;
  const { server } = attempt;
  const nft = tool === 'nft';
  const at = handle === undefined ? {} : nft ? { handle } : { number: handle };
  const rule = nft
    ? [attempt.family === 4 ? 'ip' : 'ip6', 'daddr', server.address, 'tcp', 'dport', String(server.port), 'accept']
    : ['-p', 'tcp', '-d', server.address, '--dport', String(server.port), '-j', 'ACCEPT'];
  const remedies: Remedy[] = [
    {
      id: 'accept-server',
      title: `Let connections to ${server.address} port ${server.port} out before ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [
        nft
          ? { kind: 'nft-rule', action: 'insert', family, table, chain, ...at, rule }
          : { kind: 'iptables-rule', action: 'insert', tool, table, chain, ...at, rule },
      ],
    },
  ];
  if (!policy && handle !== undefined) {
    remedies.push({
      id: 'delete-rule',
      title: `Delete ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [
        nft
          ? { kind: 'nft-rule', action: 'delete', family, table, chain, handle }
          : { kind: 'iptables-rule', action: 'delete', tool, table, chain, number: handle },
      ],
    });
  }
  return remedies;
}
