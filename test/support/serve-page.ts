import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPage } from '../../scripts/build-page.ts';
import { MemoryStore } from '../../src/service/history/memory-store.ts';
import { startHttp } from '../../src/service/http/server.ts';
import { Metrics } from '../../src/service/metrics/metrics.ts';
import type { DemoWatch } from './demo-watch.ts';
import { FakeRepairer } from './fake-repairer.ts';
import { FakeWatch } from './fake-watch.ts';

/** The page and the API of a watch that a test drives, by the real server. */
export interface ServedPage {
  /** `http://127.0.0.1:12345`. */
  readonly base: string;
  readonly port: number;
  readonly repairer: FakeRepairer;
  close(): Promise<void>;
}

/** A watch to which nothing has happened yet. */
export function emptyWatch(): DemoWatch {
  return { view: new FakeWatch(), history: new MemoryStore() };
}

/** Builds the page and serves it on a free port of this machine, or on the one that is named. */
export async function servePage(
  { view, history }: DemoWatch,
  { port = 0, token }: { readonly port?: number; readonly token?: string } = {},
): Promise<ServedPage> {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-page-'));
  const repairer = new FakeRepairer();
  try {
    const dist = join(folder, 'web');
    await buildPage(dist);
    const { url = '', close } = await startHttp({
      view,
      store: history,
      metrics: new Metrics({ view, store: history, services: 10 }),
      repairer,
      page: { listen: `127.0.0.1:${port}`, ...(token === undefined ? {} : { token }) },
      stateFolder: folder,
      dist,
    });
    const { origin, port: taken } = new URL(url);
    return {
      base: origin,
      port: Number(taken),
      repairer,
      async close() {
        await close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
