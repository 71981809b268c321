import type { ServerHistory } from '../handshake/tally.ts';
import { hopsAway } from '../handshake/vantage.ts';
import type { Finding, Handshake, Segment } from '../model/handshake.ts';
import { formatDuration } from '../model/text.ts';

/** A packet of the server to hold the RST against. */
interface Own {
  readonly ttl: number;
  /** Whose TTL it is. */
  readonly of: string;
  readonly frames: readonly number[];
}

/**
 * Who sent the RST that answered an attempt. A host's RST has crossed as many routers as its SYN-ACKs; one that was made on the
 * way has crossed fewer. Distances count from the usual initial TTLs, as some systems use another one for a RST. A RST from
 * further away than the server proves nothing: the paths of two packets can differ.
 */
export function resetOrigin(handshake: Handshake, server: ServerHistory): Finding | undefined {
  const reset = handshake.segments.find((segment) => segment.kind === 'rst' && segment.direction === 'to-client');
  if (reset === undefined) return undefined;
  const own = ownTtl(handshake, server);
  if (own !== undefined) return compare(reset, own, timing(handshake, reset, server));
  return madeHere(handshake, reset) ?? unknown(reset);
}

function ownTtl(handshake: Handshake, { answerTtl, hostTtl }: ServerHistory): Own | undefined {
  const answer = handshake.segments.find(
    (segment) => segment.direction === 'to-client' && (segment.kind === 'syn-ack' || segment.kind === 'data'),
  );
  if (answer !== undefined) return { ttl: answer.ttl, of: `the SYN-ACK #${answer.frame}`, frames: [answer.frame] };
  if (answerTtl !== undefined) return { ttl: answerTtl, of: "the server's SYN-ACK to other attempts", frames: [] };
  if (hostTtl !== undefined) return { ttl: hostTtl, of: 'a SYN-ACK of another port of this address', frames: [] };
  return undefined;
}

function compare(reset: Segment, own: Own, timing: string): Finding {
  const nearer = hopsAway(own.ttl) - hopsAway(reset.ttl);
  const frames = [reset.frame, ...own.frames];
  if (nearer === 0) {
    const statement = `the RST has TTL ${reset.ttl}, as ${own.of}: it came from as far away as the server`;
    return { id: 'reset-by-server', statement, frames };
  }
  const differs = `the RST has TTL ${reset.ttl} where ${own.of} has ${own.ttl}`;
  if (nearer < 0) {
    const statement = `${differs}: it came from ${hops(-nearer)} further away, by another path or from another host`;
    return { id: 'reset-origin-unknown', statement, frames };
  }
  return {
    id: 'reset-by-middlebox',
    statement: `${differs}: it was made ${hops(nearer)} nearer than the server${timing}`,
    frames,
  };
}

/** Without another packet of the server, a RST that crossed no router still tells where it was made when the SYN crossed some. */
function madeHere(handshake: Handshake, reset: Segment): Finding | undefined {
  const syn = handshake.segments.find((segment) => segment.kind === 'syn');
  if (syn === undefined || hopsAway(reset.ttl) > 0 || hopsAway(syn.ttl) === 0) return undefined;
  const statement = `the RST (TTL ${reset.ttl}) has crossed no router and the SYN has: it was made where this was captured`;
  return { id: 'reset-by-server', statement, frames: [reset.frame] };
}

function unknown({ ttl, frame }: Segment): Finding {
  const statement = `whose RST it is cannot be told: no other packet of the server to compare its TTL ${ttl} with`;
  return { id: 'reset-origin-unknown', statement, frames: [frame] };
}

function hops(count: number): string {
  return count === 1 ? 'one hop' : `${count} hops`;
}

function timing(handshake: Handshake, reset: Segment, { fastestAnswerNs }: ServerHistory): string {
  const syn = handshake.segments.findLast((segment) => segment.kind === 'syn' && segment.timeNs <= reset.timeNs);
  if (syn === undefined || fastestAnswerNs === undefined) return '';
  const tookNs = Number(reset.timeNs - syn.timeNs);
  if (tookNs * 1.5 > fastestAnswerNs) return '';
  return `, and came after ${formatDuration(tookNs)} where the server takes at least ${formatDuration(fastestAnswerNs)}`;
}
