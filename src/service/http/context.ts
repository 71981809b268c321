import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { encodeJson } from '../../report/json.ts';
import type { JsonValue } from '../../report/json-values.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WatchView } from '../watch/view.ts';
import { ApiError } from './api-error.ts';
import type { ConfirmTokens } from './confirm-tokens.ts';
import type { EventStreams } from './event-streams.ts';
import type { Repairer } from './repairer.ts';
import type { Sessions } from './session.ts';
import type { StaticFiles } from './static-files.ts';

/** What the routes work with. */
export interface HttpParts {
  readonly view: WatchView;
  readonly store: HistoryStore;
  readonly metrics: Metrics;
  /** Whether /metrics is there (`metrics.enabled`). */
  readonly servesMetrics: boolean;
  readonly repairer: Repairer | undefined;
  readonly streams: EventStreams;
  readonly sessions: Sessions;
  readonly confirms: ConfirmTokens;
  readonly files: StaticFiles;
  /** Names by which this watch may be asked, beside addresses and localhost. */
  readonly names: readonly string[];
  /** Whether looking needs a login, too. */
  readonly loginNeeded: boolean;
}

/** Who asks. */
export interface Asker {
  /** Differs between sessions; a confirm token holds for one. */
  readonly key: string;
  readonly loggedIn: boolean;
  readonly mayRepair: boolean;
}

/** The environment of a request: the connection, and who asks. */
export interface HttpEnvironment {
  Bindings: HttpBindings;
  Variables: { asker: Asker };
}

/** An application with the environment of this server. */
export type HttpApp = Hono<HttpEnvironment>;

/** A request to it. */
export type HttpContext = Context<HttpEnvironment>;

/** Answers with JSON that is safe to print. */
export function json(context: HttpContext, value: JsonValue): Response {
  return context.body(`${encodeJson(value)}\n`, 200, { 'content-type': 'application/json; charset=utf-8' });
}

/** The connection of a request. */
export function connection(context: HttpContext): {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
} {
  return context.env;
}

const MAX_BODY_BYTES = 16_384;

/**
 * Reads the body of a request.
 * @throws ApiError 413 when it is larger than 16 KiB
 */
export async function readBody(context: HttpContext): Promise<string> {
  const reader = context.req.raw.body?.getReader();
  if (reader === undefined) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    bytes += part.value.byteLength;
    if (bytes > MAX_BODY_BYTES) {
      await reader.cancel();
      throw new ApiError(413, 'too-large', 'the body holds more than 16 KiB');
    }
    parts.push(part.value);
  }
  return Buffer.concat(parts).toString('utf8');
}

/**
 * Reads a JSON object from the body; an empty body is an empty object.
 * @throws ApiError 400, 413
 */
export async function readJson(context: HttpContext): Promise<Readonly<Record<string, unknown>>> {
  const text = await readBody(context);
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new ApiError(400, 'bad-body', 'the body is no JSON object');
}
