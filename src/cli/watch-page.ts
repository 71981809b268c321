import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { InputError } from '../model/errors.ts';
import type { HistoryStore } from '../service/history/history-store.ts';
import { controlSocketPath } from '../service/http/control-socket.ts';
import type { Repairer } from '../service/http/repairer.ts';
import { type HttpService, startHttp } from '../service/http/server.ts';
import { type AlertNumbers, Metrics } from '../service/metrics/metrics.ts';
import type { WatchConfig } from '../service/watch/config-types.ts';
import type { WatchView } from '../service/watch/view.ts';

/** What is served beside a watch: page, metrics, and the control socket for `incidents` and `show`. */
export interface WatchPage extends HttpService {
  readonly metrics: Metrics;
}

/** What a page is served from. */
export interface WatchPageParts {
  readonly view: WatchView;
  readonly store: HistoryStore;
  readonly config: WatchConfig;
  /** The state folder. */
  readonly state: string;
  readonly repairer: Repairer;
  /** How the alerts are, for the metrics. */
  readonly alerts: () => AlertNumbers | undefined;
}

/**
 * Starts to serve a watch. Without a page there is still the control socket.
 * @throws InputError when it cannot listen, or the token cannot be read.
 */
export async function servePage({ view, store, config, state, repairer, alerts }: WatchPageParts): Promise<WatchPage> {
  const metrics = new Metrics({
    view,
    store,
    services: config.metrics.services,
    alerts: () => alerts() ?? { queued: 0, totals: [] },
  });
  const { enabled, listen } = config.page;
  const token = tokenOf(config);
  const http = await startHttp({
    view,
    store,
    metrics,
    servesMetrics: config.metrics.enabled,
    repairer,
    ...(enabled ? { page: { listen, names: config.page.names, ...(token === undefined ? {} : { token }) } } : {}),
    stateFolder: state,
    controlSocket: controlSocketPath(state),
    dist: enabled ? pageFolder() : '',
  });
  return { ...http, metrics };
}

/** The built page lies in `dist` of the package, whether the sources run or what was built of them. */
function pageFolder(): string {
  const folder = fileURLToPath(new URL('../../dist/web', import.meta.url));
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new InputError({
    code: 'not-built',
    message: 'The page is not built.',
    hint: 'Run "npm run build", or watch with --no-page.',
  });
}

function tokenOf({ page: { token, tokenFile } }: WatchConfig): string | undefined {
  if (token !== undefined || tokenFile === undefined) return token;
  try {
    const text = readFileSync(tokenFile, 'utf8').trim();
    if (text.length >= 16) return text;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new InputError({
      code: 'not-readable',
      message: `The token file ${tokenFile} cannot be read: ${systemReason(error)}.`,
    });
  }
  throw new InputError({ code: 'bad-token', message: `The token in ${tokenFile} has less than 16 characters.` });
}
