import type { IncidentQuery } from '../history/history-store.ts';
import { MOMENT_FORMS, parseMoment } from '../history/parse-time.ts';
import { ApiError } from './api-error.ts';

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
