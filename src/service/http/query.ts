import type { IncidentQuery } from '../history/history-store.ts';
import { parseTimestamp } from '../history/parse-time.ts';
import { ApiError } from './api-error.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** What a moment may look like, for messages. */
export const MOMENT_FORMS =
  'a time before now such as 2h or 7d, RFC 3339 such as 2026-11-20T14:00:00Z, or milliseconds since 1970';

/** Nanoseconds since 1970 of `2h` (before now), RFC 3339 or milliseconds since 1970; undefined for anything else. */
export function parseMoment(text: string, nowMs: number = Date.now()): bigint | undefined {
  const [, amount, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(s|m|min|h|d|w)$/.exec(text) ?? [];
  if (amount !== undefined) {
    const ms = nowMs - Number(amount) * (UNIT_MS[unit === 'min' ? 'm' : unit] ?? 0);
    return BigInt(Math.round(Math.max(0, ms))) * 1_000_000n;
  }
  if (/^\d{10,15}$/.test(text)) return BigInt(text) * 1_000_000n;
  // A date alone is its begin; a time without a zone is UTC.
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return parseTimestamp(`${text}T00:00:00Z`);
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}$/.test(text)) return parseTimestamp(`${text.replace(' ', 'T')}:00Z`);
  return parseTimestamp(text.replace(/(?<!Z|[+-]\d{2}:\d{2})$/i, 'Z').replace(' ', 'T'));
}

/** The parameters of a request; each method throws `ApiError` 400 for what cannot be used. */
export class Parameters {
  readonly #search: URLSearchParams;

  constructor(search: URLSearchParams) {
    this.#search = search;
  }

  /** A text of at most 200 characters. */
  text(name: string): string | undefined {
    const value = this.#search.get(name);
    if (value === null || value === '') return undefined;
    if (value.length > 200) throw bad(`${name} takes at most 200 characters`);
    return value;
  }

  /** A whole number between two bounds. */
  count(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw bad(`${name} takes a whole number from ${least} to ${most}, and "${text}" is none`);
    }
    return value;
  }

  /** A moment in nanoseconds. */
  moment(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ns = parseMoment(text);
    if (ns === undefined) throw bad(`${name} takes ${MOMENT_FORMS}, and "${text}" is none of these`);
    return ns;
  }

  /** One of several words. */
  word<T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!words.includes(text as T)) throw bad(`${name} is one of ${words.join(', ')}, and "${text}" is none of these`);
    return text as T;
  }
}

/** What `since`, `until`, `state`, `kind`, `cause`, `port` and `text` ask for. */
export function incidentQuery(parameters: Parameters): IncidentQuery {
  const sinceNs = parameters.moment('since');
  const untilNs = parameters.moment('until');
  const state = parameters.word('state', ['open', 'closed']);
  const kind = parameters.word('kind', ['failure', 'noise', 'warning']);
  const causeId = parameters.text('cause');
  const port = parameters.count('port', 1, 65_535);
  const text = parameters.text('text');
  return {
    ...(sinceNs === undefined ? {} : { sinceNs }),
    ...(untilNs === undefined ? {} : { untilNs }),
    ...(state === undefined ? {} : { state }),
    ...(kind === undefined ? {} : { kind }),
    ...(causeId === undefined ? {} : { causeId }),
    ...(port === undefined ? {} : { port }),
    ...(text === undefined ? {} : { text }),
  };
}

function bad(message: string): ApiError {
  return new ApiError(400, 'bad-query', message);
}
