import process from 'node:process';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { forTerminal } from '../../report/escape.ts';
import { encodeJson } from '../../report/json.ts';
import { HistoryError } from '../history/history-error.ts';
import { ApiError } from './api-error.ts';
import {
  type Asker,
  connection,
  type HttpApp,
  type HttpContext,
  type HttpEnvironment,
  type HttpParts,
} from './context.ts';
import { checkHost, checkRequestHeader, checkSite, SECURITY_HEADERS } from './guard.ts';
import { peerUser } from './peer-user.ts';
import { addCatalogueRoutes } from './routes/catalogue.ts';
import { addExportRoute } from './routes/export.ts';
import { addLoginRoutes } from './routes/login.ts';
import { addReadRoutes } from './routes/read.ts';
import { addRepairRoutes } from './routes/repair.ts';
import { sessionOfCookie } from './session.ts';

/** Where requests come from: over TCP from anybody, or over the control socket from whoever may open it. */
export type Entrance = 'page' | 'control';

/** Makes the application that answers requests. */
export function createApp(parts: HttpParts, entrance: Entrance): HttpApp {
  const app: HttpApp = new Hono<HttpEnvironment>();
  const { view, metrics, servesMetrics, streams, files } = parts;

  app.use(async (context, next) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.header(name, value);
    if (entrance === 'page') checkPage(context, parts.names);
    context.set('asker', entrance === 'page' ? whoAsks(context, parts) : CONTROL);
    if (parts.loginNeeded && !context.var.asker.loggedIn && !isPublic(context.req.path)) {
      throw new ApiError(401, 'login-required', 'this needs a login', { hint: 'log in at /login' });
    }
    await next();
    if (!context.res.headers.has('cache-control')) context.header('cache-control', 'no-store');
  });

  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/metrics', (context) => {
    if (!servesMetrics) {
      throw new ApiError(404, 'not-found', 'metrics are switched off', { hint: 'set metrics.enabled to true' });
    }
    const open = (context.req.header('accept') ?? '').includes('application/openmetrics-text');
    return context.body(metrics.text(open ? 'openmetrics' : 'prometheus'), 200, {
      'content-type': open
        ? 'application/openmetrics-text; version=1.0.0; charset=utf-8'
        : 'text/plain; version=0.0.4; charset=utf-8',
    });
  });
  app.get('/api/v1/events', (context) => {
    const { outgoing } = connection(context);
    // Following the events is one long answer, which is written as they come.
    streams.add(outgoing, context.req.header('last-event-id'), SECURITY_HEADERS);
    return RESPONSE_ALREADY_SENT;
  });
  addReadRoutes(app, parts);
  addCatalogueRoutes(app, parts);
  addExportRoute(app, parts);
  addRepairRoutes(app, parts);
  if (entrance === 'page') {
    addLoginRoutes(app, parts);
    app.get('*', (context) => {
      const path = context.req.path;
      const found = path.startsWith('/api/')
        ? undefined
        : files.respond(path, context.req.header('if-none-match') ?? null);
      if (found !== undefined) return withHeaders(found);
      if (files.isEmpty && path === '/')
        return context.text(`synscope ${view.status().version}: the page is not part of this build.\n`);
      throw new ApiError(404, 'not-found', 'there is nothing under this address');
    });
  }
  app.notFound((context) => failure(context, new ApiError(404, 'not-found', 'there is nothing under this address')));
  app.onError((error, context) => failure(context, asApiError(error)));
  return app;
}

const CONTROL: Asker = { key: 'control', loggedIn: true, mayRepair: true };

function checkPage(context: HttpContext, names: readonly string[]): void {
  const { headers, method } = context.req.raw;
  checkHost(headers.get('host') ?? undefined, names);
  // A link from elsewhere to the page is fine; its files are no secret, and what they ask for comes from the page itself.
  const isData = context.req.path.startsWith('/api/') || context.req.path === '/metrics';
  if (method !== 'GET' && method !== 'HEAD') {
    checkSite(headers);
    // A form cannot send the header; the token in it is more than a foreign page has.
    if (context.req.path !== '/login') checkRequestHeader(headers);
  } else if (isData) checkSite(headers);
}

function whoAsks(context: HttpContext, { sessions, loginNeeded }: HttpParts): Asker {
  const { socket } = connection(context).incoming;
  const session = sessionOfCookie(context.req.header('cookie') ?? null);
  if (session !== undefined && sessions.use(session))
    return { key: `session ${session}`, loggedIn: true, mayRepair: true };
  const bearer = /^Bearer (\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
  if (bearer !== undefined) {
    const address = socket.remoteAddress ?? '';
    sessions.checkTries(address);
    if (sessions.isToken(bearer)) return { key: 'bearer', loggedIn: true, mayRepair: true };
    sessions.countWrong(address);
    throw new ApiError(401, 'login-required', 'this is not the token');
  }
  if (loginNeeded) return { key: 'nobody', loggedIn: false, mayRepair: false };
  // Who that is costs a look at all sockets: only where it matters.
  const asks = context.req.path === '/api/v1/status' || context.req.method === 'POST';
  const user = asks ? peerUser(socket) : undefined;
  return {
    key: `user ${user ?? 'unknown'}`,
    loggedIn: false,
    mayRepair: user !== undefined && (user === 0 || user === process.getuid?.()),
  };
}

function isPublic(path: string): boolean {
  return !path.startsWith('/api/') && path !== '/metrics';
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value);
  return response;
}

function asApiError(error: Error): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof HistoryError) {
    return new ApiError(503, 'history-unavailable', error.message, { hint: error.hint, retryAfter: 10 });
  }
  process.stderr.write(
    `synscope: a request failed, please report this: ${forTerminal(error.stack ?? error.message)}\n`,
  );
  return new ApiError(500, 'bug', 'this is a bug of synscope; the log of the watch says more');
}

function failure(context: HttpContext, { status, code, message, hint, retryAfter }: ApiError): Response {
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...(status === 401 ? { 'www-authenticate': 'Bearer realm="synscope"' } : {}),
  };
  return context.body(`${encodeJson({ error: { code, message, hint } })}\n`, status, headers);
}
