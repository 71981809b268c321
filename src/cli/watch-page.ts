import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { InputError } from '../model/errors.ts';
import type { HistoryStore } from '../service/history/history-store.ts';
import { controlSocketPath } from '../service/http/control-socket.ts';
import type { Repairer } from '../service/http/repairer.ts';
import { type HttpOptions, type HttpService, startHttp } from '../service/http/server.ts';
import { type AlertNumbers, Metrics } from '../service/metrics/metrics.ts';
import type { WatchConfig } from '../service/watch/config-types.ts';
import type { WatchView } from '../service/watch/view.ts';

/** Where the page of a watch is. */
export type PagePlace = Pick<HttpService, 'url' | 'tokenFile'>;

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

/** What is served beside a watch: page, metrics, and the control socket for `incidents` and `show`. */
export class WatchPage {
  private readonly parts: WatchPageParts;
  private served: Served;
  private metrics: Metrics;
  private http: HttpService | undefined;

  private constructor(parts: WatchPageParts) {
    this.parts = parts;
    this.served = servedOf(parts.config);
    this.metrics = this.newMetrics();
  }

  /**
   * Starts to serve a watch. Without a page there is still the control socket.
   * @throws InputError when it cannot listen, or the token cannot be read.
   */
  static async start(parts: WatchPageParts): Promise<WatchPage> {
    const page = new WatchPage(parts);
    page.http = await page.serve(page.served);
    return page;
  }

  get place(): PagePlace {
    return this.http ?? {};
  }

  /**
   * Serves as another configuration says, where that differs: who looks at the page connects again, and who was logged in logs in again.
   * @returns whether anything changed.
   * @throws InputError when it cannot; then it is served as before.
   */
  async reload(config: WatchConfig): Promise<boolean> {
    const before = this.served;
    // What can be wrong with it is found before the page that is there goes away.
    const next = servedOf(config);
    if (isDeepStrictEqual(before, next)) return false;
    await this.http?.close();
    try {
      this.http = await this.serve(next);
    } catch (error) {
      this.http = await this.serve(before);
      throw error;
    }
    this.served = next;
    return true;
  }

  async close(): Promise<void> {
    await this.http?.close();
    this.metrics.close();
  }

  private async serve(served: Served): Promise<HttpService> {
    const { view, store, state, repairer } = this.parts;
    if (served.services !== this.served.services) {
      this.served = served;
      this.metrics.close();
      this.metrics = this.newMetrics();
    }
    const { services: _, ...options } = served;
    return await startHttp({
      ...{ view, store, repairer, ...options },
      metrics: this.metrics,
      stateFolder: state,
      controlSocket: controlSocketPath(state),
    });
  }

  private newMetrics(): Metrics {
    const { view, store, alerts } = this.parts;
    const { services } = this.served;
    return new Metrics({ view, store, services, alerts: () => alerts() ?? { queued: 0, totals: [] } });
  }
}

/** What of the configuration decides what is served. */
interface Served extends Pick<HttpOptions, 'page' | 'dist' | 'servesMetrics'> {
  readonly services: number;
}

function servedOf(config: WatchConfig): Served {
  const { enabled, listen, names } = config.page;
  const token = enabled ? tokenOf(config) : undefined;
  return {
    services: config.metrics.services,
    servesMetrics: config.metrics.enabled,
    dist: enabled ? pageFolder() : '',
    ...(enabled ? { page: { listen, names, ...(token === undefined ? {} : { token }) } } : {}),
  };
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
