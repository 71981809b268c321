import type { Change, Remedy } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { hitName } from './shared-filter.ts';
import { hasClient } from './shared-silence.ts';

/** What a rule that lets packets through matches, in the words of both tools. */
interface Match {
  readonly nft: readonly string[];
  readonly iptables: readonly string[];
}

/** Repairs for a rule of a server that stops SYNs to the port: let this client through, or take the rule away. A person decides. */
export function filterRemedies(hit: FilterHit, attempt: Attempt): Remedy[] {
  const { client, server, family } = attempt;
  const isKnown = hasClient(attempt);
  const port = String(server.port);
  return [
    accept(hit, 'accept-client', `Accept connections to port ${port}${isKnown ? ` from ${client.address}` : ''}`, {
      nft: [...(isKnown ? [ipOf(family), 'saddr', client.address] : []), 'tcp', 'dport', port],
      iptables: ['-p', 'tcp', ...(isKnown ? ['-s', client.address] : []), '--dport', port],
    }),
    ...withoutRule(hit),
  ];
}

/** Repairs for a rule of a client that stops its own SYNs on the way out. */
export function outputRemedies(hit: FilterHit, { server, family }: Attempt): Remedy[] {
  const port = String(server.port);
  return [
    accept(hit, 'accept-server', `Let connections to ${server.address} port ${port} out`, {
      nft: [ipOf(family), 'daddr', server.address, 'tcp', 'dport', port],
      iptables: ['-p', 'tcp', '-d', server.address, '--dport', port],
    }),
    ...withoutRule(hit),
  ];
}

/** Repairs for a rule of a server that stops its SYN-ACKs on the way out. */
export function answerRemedies(hit: FilterHit, { server }: Attempt): Remedy[] {
  const port = String(server.port);
  return [
    accept(hit, 'accept-answers', `Accept answers of port ${port}`, {
      nft: ['tcp', 'sport', port, 'tcp', 'flags', '&', '(syn|ack)', '==', '(syn|ack)'],
      iptables: ['-p', 'tcp', '--sport', port, '--tcp-flags', 'SYN,ACK', 'SYN,ACK'],
    }),
    ...withoutRule(hit),
  ];
}

/** Repairs for a rule of a client that stops answers to its own connections on the way in. */
export function incomingAnswerRemedies(hit: FilterHit): Remedy[] {
  return [
    accept(hit, 'accept-answers', 'Accept answers to connections of this host', {
      nft: ['ct', 'state', 'established,related'],
      iptables: ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED'],
    }),
    ...withoutRule(hit),
  ];
}

/** Takes the rule away; nothing for the policy of a chain. */
export function withoutRule(hit: FilterHit, title = `Delete ${hitName(hit)}`): Remedy[] {
  const { handle, tool, family, table, chain, policy } = hit;
  if (policy || handle === undefined) return [];
  const change: Change =
    tool === 'nft'
      ? { kind: 'nft-rule', action: 'delete', family, table, chain, handle }
      : { kind: 'iptables-rule', action: 'delete', tool, table, chain, number: handle };
  return [{ id: 'delete-rule', title, risk: 'high', auto: 'never', changes: [change] }];
}

/** Lets packets through in front of the rule, or of all rules where the policy of the chain stops them. */
function accept(hit: FilterHit, id: string, what: string, match: Match): Remedy {
  const { tool, family, table, chain, policy, handle } = hit;
  const at = policy ? undefined : handle;
  const change: Change =
    tool === 'nft'
      ? {
          ...{ kind: 'nft-rule', action: 'insert', family, table, chain },
          ...(at === undefined ? {} : { handle: at }),
          rule: [...match.nft, 'accept'],
        }
      : {
          ...{ kind: 'iptables-rule', action: 'insert', tool, table, chain },
          ...(at === undefined ? {} : { number: at }),
          rule: [...match.iptables, '-j', 'ACCEPT'],
        };
  return { id, title: `${what} before ${hitName(hit)}`, risk: 'high', auto: 'never', changes: [change] };
}

function ipOf(family: 4 | 6): string {
  return family === 4 ? 'ip' : 'ip6';
}
