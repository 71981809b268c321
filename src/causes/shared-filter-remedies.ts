import type { Remedy } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { hitName } from './shared-filter.ts';
import { hasClient } from './shared-silence.ts';

/** Repairs for a rule that stops packets to the port: let this client through, or take the rule away. A person decides. */
export function filterRemedies(hit: FilterHit, attempt: Attempt): Remedy[] {
  const remedies: Remedy[] = [
    {
      id: 'accept-client',
      title: `Accept connections to port ${attempt.server.port}${hasClient(attempt) ? ` from ${attempt.client.address}` : ''} before ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [acceptBefore(hit, attempt)],
    },
  ];
  if (!hit.policy && hit.handle !== undefined) {
    remedies.push({
      id: 'delete-rule',
      title: `Delete ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [deleteRule(hit, hit.handle)],
    });
  }
  return remedies;
}

function acceptBefore(hit: FilterHit, attempt: Attempt): Remedy['changes'][number] {
  const { table, chain, family, tool, handle } = hit;
  const { client, server } = attempt;
  if (tool === 'nft') {
    const source = hasClient(attempt) ? [attempt.family === 4 ? 'ip' : 'ip6', 'saddr', client.address] : [];
    return {
      kind: 'nft-rule',
      action: 'insert',
      family,
      table,
      chain,
      ...(handle === undefined ? {} : { handle }),
      rule: [...source, 'tcp', 'dport', String(server.port), 'accept'],
    };
  }
  return {
    kind: 'iptables-rule',
    action: 'insert',
    tool,
    table,
    chain,
    ...(handle === undefined ? {} : { number: handle }),
    rule: [
      '-p',
      'tcp',
      ...(hasClient(attempt) ? ['-s', client.address] : []),
      '--dport',
      String(server.port),
      '-j',
      'ACCEPT',
    ],
  };
}

function deleteRule({ table, chain, family, tool }: FilterHit, handle: number): Remedy['changes'][number] {
  return tool === 'nft'
    ? { kind: 'nft-rule', action: 'delete', family, table, chain, handle }
    : { kind: 'iptables-rule', action: 'delete', tool, table, chain, number: handle };
}
