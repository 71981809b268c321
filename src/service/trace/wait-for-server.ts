import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../../host/host.ts';
import type { TracedAttempt } from './trace-stories.ts';
import type { WatchedEnd } from './watched-end.ts';

/** A server that ignores the final ACK, or never got it, repeats its SYN-ACK after a second. */
const REPEATED_AFTER_MS = 1250;

/** Waits for the SYN-ACK to be repeated where the client is connected and the server is not. */
export async function waitForServer(
  server: WatchedEnd,
  attempts: readonly TracedAttempt[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const doubtful = attempts.filter(({ handshake }) => handshake.outcome === 'established');
  for (const { story } of doubtful) {
    const arrived = story.points.find(({ name }) => name === server.plan.name);
    const sighting = arrived?.sighting;
    if (arrived === undefined || sighting === undefined || sighting.proved) continue;
    if (arrived.acks.length > 0 && !(await isHalfOpen(server, sighting.handshake.server.port))) continue;
    await sleep(REPEATED_AFTER_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    return;
  }
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
