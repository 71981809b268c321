import { setTimeout as sleep } from 'node:timers/promises';
import { KeptCapture } from '../../collect/watch/kept-capture.ts';
import { compareTracked } from '../../handshake/compare/comparison.ts';
import { sightingOf } from '../../handshake/compare/sighting.ts';
import { type Host, type HostCapture, HostError } from '../../host/host.ts';
import type { CaptureReport } from '../../model/diagnosis.ts';
import type { TraceOptions } from './trace-target.ts';

/** How long the SYN of the search is waited for. */
const SEARCH_MS = 700;

/**
 * The port at which the server gets what the client sends to another one, when something on the way translates it; undefined when the
 * server gets it nowhere. It is asked for only when nothing arrived at the port that was watched.
 */
export async function findServerPort(options: TraceOptions, report: CaptureReport): Promise<number | undefined> {
  const { client, server, target, serverPort, waitMs } = options;
  const lost = report.diagnoses.find(
    ({ path, cause }) => path?.location === 'lost-before-server' && cause?.status !== 'confirmed',
  );
  if (lost === undefined || serverPort !== undefined || waitMs !== undefined) return undefined;
  if ('missing' in client.host || 'missing' in server.host || lost.path?.between?.[1] !== server.name) return undefined;
  const { address } = lost.handshake.server;
  try {
    return await search(client.host, server.host, address, target.port);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}

async function search(client: Host, server: Host, address: string, port: number): Promise<number | undefined> {
  const [sent, got] = [new KeptCapture(), new KeptCapture()];
  const captures = await Promise.all([keep(client, { port, peer: address }, sent), keep(server, {}, got)]);
  try {
    await Promise.race([client.connect({ address, port, timeoutMs: SEARCH_MS }), sleep(SEARCH_MS)]);
  } finally {
    for (const { capture } of captures) capture.stop();
    await Promise.all(captures.map(({ pumping }) => pumping));
  }
  if (sent.isEmpty || got.isEmpty) return undefined;
  const [clientNs, serverNs] = await Promise.all([client.nowNs(), server.nowNs()]);
  const comparison = compareTracked(
    [
      sent.track({ name: 'client', atNs: clientNs, lost: 0 }).capture,
      got.track({ name: 'server', atNs: serverNs, lost: 0 }).capture,
    ],
    true,
  );
  for (let story = 0; story < comparison.stories; story++) {
    const arrived = comparison.rowOf[0]![story]! < 0 ? undefined : sightingOf(comparison, 1, story);
    if (arrived !== undefined && arrived.handshake.server.port !== port) return arrived.handshake.server.port;
  }
  return undefined;
}

async function keep(
  host: Host,
  spec: Parameters<Host['capture']>[0],
  kept: KeptCapture,
): Promise<{ readonly capture: HostCapture; readonly pumping: Promise<void> }> {
  const capture = await host.capture(spec);
  await capture.ready;
  const pumping = (async () => {
    for await (const chunk of capture.chunks) kept.push(chunk);
  })();
  pumping.catch(() => {});
  return { capture, pumping };
}
