import type { Change, Remedy } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { hitName } from './shared-filter.ts';

/** Repairs for a rule that stops what the server sends back: accept answers before it, or take it away. A person decides. */
export function acceptAnswers(hit: FilterHit, attempt: Attempt): Remedy[] {
  const remedies: Remedy[] = [
    {
      id: 'accept-answers',
      title: `Accept answers of port ${attempt.server.port} before ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [acceptBefore(hit, attempt)],
    },
  ];
  if (hit.policy || hit.handle === undefined) return remedies;
  const { family, table, chain, tool, handle } = hit;
  return [
    ...remedies,
    {
      id: 'delete-rule',
      title: `Delete ${hitName(hit)}`,
      risk: 'high',
      auto: 'never',
      changes: [
        tool === 'nft'
          ? { kind: 'nft-rule', action: 'delete', family, table, chain, handle }
          : { kind: 'iptables-rule', action: 'delete', tool, table, chain, number: handle },
      ],
    },
  ];
}

function acceptBefore({ tool, family, table, chain, policy, handle }: FilterHit, { server }: Attempt): Change {
  const port = String(server.port);
  if (tool === 'nft') {
    return {
      kind: 'nft-rule',
      action: 'insert',
      family,
      table,
      chain,
      ...(policy || handle === undefined ? {} : { handle }),
      rule: ['tcp', 'sport', port, 'tcp', 'flags', '&', '(syn|ack)', '==', '(syn|ack)', 'accept'],
    };
  }
  return {
    kind: 'iptables-rule',
    action: 'insert',
    tool,
    table,
    chain,
    ...(policy || handle === undefined ? {} : { number: handle }),
    rule: ['-p', 'tcp', '--sport', port, '--tcp-flags', 'SYN,ACK', 'SYN,ACK', '-j', 'ACCEPT'],
  };
}
