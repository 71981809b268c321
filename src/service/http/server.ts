import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { getRequestListener } from '@hono/node-server';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WatchView } from '../watch/view.ts';
import { createApp, type Entrance } from './app.ts';
import { ConfirmTokens } from './confirm-tokens.ts';
import type { HttpParts } from './context.ts';
import { listenOnSocket } from './control-socket.ts';
import { EventStreams } from './event-streams.ts';
import { isLoopback, splitListen } from './listen-address.ts';
import { pageToken } from './page-token.ts';
import type { Repairer } from './repairer.ts';
import { Sessions } from './session.ts';
import { StaticFiles } from './static-files.ts';

const MAX_CONNECTIONS = 256;

/** What a page and its API are made of. */
export interface HttpOptions {
  readonly view: WatchView;
  readonly store: HistoryStore;
  readonly metrics: Metrics;
  /** Whether /metrics is there; true unless given. */
  readonly servesMetrics?: boolean;
  /** Absent: this watch does not repair. */
  readonly repairer?: Repairer;
  /** Absent: only the control socket. */
  readonly page?: {
    /** `address:port`; port 0 takes a free one. */
    readonly listen: string;
    /** When given, looking needs a login, too. */
    readonly token?: string;
    /** Names under which the page may be asked, beside addresses and localhost. */
    readonly names?: readonly string[];
  };
  /** Folder of the token that is made when none is given. */
  readonly stateFolder: string;
  /** Where the control socket is to be; absent: none. */
  readonly controlSocket?: string;
  /** Folder of the built page. */
  readonly dist: string;
}

/** A page and API that are served. */
export interface HttpService {
  /** Where the page is, for people: `http://127.0.0.1:7321/`. */
  readonly url?: string;
  /** File that holds the token, where looking needs it and it was not configured. */
  readonly tokenFile?: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Serves page, API and metrics, and the control socket.
 * @throws InputError when it cannot listen there
 */
export async function startHttp(options: HttpOptions): Promise<HttpService> {
  const { view, store, metrics, servesMetrics = true, repairer, page, stateFolder, controlSocket, dist } = options;
  const listen = page === undefined ? undefined : splitListen(page.listen);
  const loginNeeded = listen !== undefined && (page?.token !== undefined || !isLoopback(listen.host));
  const made = page === undefined || page.token !== undefined ? undefined : pageToken(stateFolder);
  const streams = new EventStreams(view);
  const parts: HttpParts = {
    view,
    store,
    metrics,
    servesMetrics,
    repairer,
    streams,
    sessions: new Sessions(page?.token ?? made?.token ?? ''),
    confirms: new ConfirmTokens(),
    files: new StaticFiles(dist),
    names: (page?.names ?? []).map((name) => name.toLowerCase()),
    loginNeeded,
  };
  metrics.countStreams(() => streams.count);
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    streams.close();
    await Promise.all(servers.map(closeServer));
  };
  try {
    if (controlSocket !== undefined) {
      const server = makeServer(parts, 'control');
      await listenOnSocket(server, controlSocket);
      servers.push(server);
    }
    if (listen === undefined) return { close };
    const server = makeServer(parts, 'page');
    await listenOn(server, listen.host, listen.port);
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host || hostname();
    return {
      url: `http://${host}:${port}/`,
      ...(loginNeeded && made !== undefined ? { tokenFile: made.path } : {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function makeServer(parts: HttpParts, entrance: Entrance): Server {
  const app = createApp(parts, entrance);
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5000, maxHeaderSize: 16_384 },
    (request, response) => {
      response.once('close', () => parts.metrics.countRequest(response.statusCode));
      void answer(request, response);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const reason = isSystemError(error) ? systemReason(error) : error.message;
      reject(
        new InputError({
          code: 'cannot-listen',
          message: `The page cannot listen on ${host || 'every address'} port ${port}: ${reason}.`,
          hint: 'Another address is set with page.listen in the configuration, or --listen.',
        }),
      );
    });
    server.listen(host === '' ? { port } : { port, host }, () => resolve());
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
