import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../../host/host.ts';
import type { TracedAttempt } from './trace-stories.ts';
import type { WatchedEnd } from './watched-end.ts';

/** A server that ignores the final ACK, or never got it, repeats its SYN-ACK after a second. */
const REPEATED_AFTER_MS = 1250;

/**
 * Waits for the SYN-ACK to be repeated where the client is connected and the server is not, and where the client has given up without
 * the answer that left the server: one that is late, or comes again, meets a client that is gone.
 */
export async function waitForServer(
  server: WatchedEnd,
  attempts: readonly TracedAttempt[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let waitMs = 0;
  for (const { story, handshake } of attempts) {
    const there = story.points.find(({ name }) => name === server.plan.name);
    if (there?.sighting === undefined) continue;
    const [answer] = there.answers;
    if (handshake.outcome !== 'established' && story.near.answers.length === 0 && answer !== undefined) {
      waitMs = Math.max(waitMs, await restOf(server, answer.segment.timeNs));
      continue;
    }
    if (handshake.outcome !== 'established' || there.sighting.proved) continue;
    if (there.acks.length > 0 && !(await isHalfOpen(server, there.sighting.handshake.server.port))) continue;
    waitMs = REPEATED_AFTER_MS;
    break;
  }
  if (waitMs > 0) await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}

/** How long it takes until an answer, sent at that time by the server's clock, is repeated. */
async function restOf(server: WatchedEnd, sentNs: bigint): Promise<number> {
  const nowNs = await server.attempt(() => server.plan.host.nowNs());
  return nowNs === undefined ? 0 : Math.min(REPEATED_AFTER_MS, REPEATED_AFTER_MS - Number(nowNs - sentNs) / 1e6);
}

/** Whether the server has half-open connections on that port. */
async function isHalfOpen(server: WatchedEnd, port: number): Promise<boolean> {
  const argv = ['ss', '-Htn', 'state', 'syn-recv', 'sport', '=', `:${port}`];
  try {
    const { stdout } = await server.plan.host.run(argv);
    return stdout.trim() !== '';
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return false;
  }
}
