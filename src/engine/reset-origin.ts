import { hopsAway } from '../handshake/vantage.ts';
import type { Finding, Handshake, Segment } from '../model/handshake.ts';
import { formatDuration } from '../model/text.ts';
import type { ServerHistory } from './capture-context.ts';

/** Two packets of one host rarely differ by more hops than this, whatever the routes do. */
const SAME_PATH_HOPS = 1;

/**
 * Who sent the RST that answered an attempt: a host's own RST has crossed as many routers as its SYN-ACKs, one made on the way
 * has crossed fewer. Nothing is claimed when only the initial TTL differs, as some systems use another one for a RST.
 */
export function resetOrigin(handshake: Handshake, server: ServerHistory): Finding | undefined {
  const reset = handshake.segments.find((segment) => segment.kind === 'rst' && segment.direction === 'to-client');
  if (reset === undefined) return undefined;
  const frames = [reset.frame];
  const own = ownTtl(handshake, server);
  if (own === undefined) return withoutComparison(handshake, reset, server);
  const distance = hopsAway(reset.ttl) - hopsAway(own.ttl);
  if (Math.abs(distance) <= SAME_PATH_HOPS) {
    return {
      id: 'reset-by-server',
      statement: `the RST has TTL ${reset.ttl}, as ${own.of}: it came from the server's distance`,
      frames: [...frames, ...own.frames],
    };
  }
  return {
    id: 'reset-by-middlebox',
    statement: `the RST has TTL ${reset.ttl} where ${own.of} has ${own.ttl}: it was made ${Math.abs(distance)} hops ${
      distance < 0 ? 'nearer' : 'further away'
    }${timing(handshake, reset, server)}`,
    frames: [...frames, ...own.frames],
  };
}

/** No SYN-ACK of this very port is there to compare with: other ports of the host, and the place of capture, may still tell. */
function withoutComparison(handshake: Handshake, reset: Segment, { hostTtl }: ServerHistory): Finding {
  const frames = [reset.frame];
  const syn = handshake.segments.find((segment) => segment.kind === 'syn');
  const { ttl } = reset;
  if (hostTtl !== undefined && Math.abs(hopsAway(ttl) - hopsAway(hostTtl)) <= SAME_PATH_HOPS) {
    const statement = `the RST has TTL ${ttl}, as the SYN-ACKs of other ports of this address: it came from the server's distance`;
    return { id: 'reset-by-server', statement, frames };
  }
  if (hopsAway(ttl) === 0 && syn !== undefined && hopsAway(syn.ttl) > 0) {
    const statement = `the RST (TTL ${ttl}) has crossed no router and the SYN has: it was made where this was captured`;
    return { id: 'reset-by-server', statement, frames };
  }
  const others =
    hostTtl === undefined ? 'no other packet of the server' : `only SYN-ACKs of other ports (TTL ${hostTtl})`;
  const statement = `whose RST it is cannot be told: there is ${others} to compare its TTL ${ttl} with`;
  return { id: 'reset-origin-unknown', statement, frames };
}

function ownTtl(
  handshake: Handshake,
  server: ServerHistory,
): { ttl: number; of: string; frames: readonly number[] } | undefined {
  const answer = handshake.segments.find(
    (segment) => segment.direction === 'to-client' && (segment.kind === 'syn-ack' || segment.kind === 'data'),
  );
  if (answer !== undefined) return { ttl: answer.ttl, of: `the SYN-ACK #${answer.frame}`, frames: [answer.frame] };
  if (server.answerTtl === undefined) return undefined;
  return { ttl: server.answerTtl, of: "the server's SYN-ACK to other attempts", frames: [] };
}

function timing(handshake: Handshake, reset: Segment, { fastestAnswerNs }: ServerHistory): string {
  const syn = handshake.segments.findLast((segment) => segment.kind === 'syn' && segment.timeNs <= reset.timeNs);
  if (syn === undefined || fastestAnswerNs === undefined) return '';
  const tookNs = Number(reset.timeNs - syn.timeNs);
  if (tookNs * 1.5 > fastestAnswerNs) return '';
  return `, and came after ${formatDuration(tookNs)} where the server takes at least ${formatDuration(fastestAnswerNs)}`;
}
