import { safe } from './safe.ts';
import type {
  CausePage,
  CauseRow,
  IncidentPage,
  IncidentRow,
  Listener,
  Preview,
  Repair,
  SearchResult,
  Status,
  Timeline,
} from './types.ts';

/** A request that did not succeed: the watch's own words where it answered. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError';
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

const BASE = '/api/v1';

/** What the page calls when the watch wants a login. */
let loginRequired: () => void = () => undefined;

/** Names what is to happen when an answer says that a login is needed. */
export function onLoginRequired(action: () => void): void {
  loginRequired = action;
}

/** Asks the watch; every answer of the page comes through here. */
export const api = {
  status: (signal?: AbortSignal): Promise<Status> => get('/status', signal),
  listeners: async (signal?: AbortSignal): Promise<readonly Listener[]> =>
    (await get<{ listeners: readonly Listener[] }>('/listeners', signal)).listeners,
  incidents: (
    query: URLSearchParams,
    signal?: AbortSignal,
  ): Promise<{ incidents: readonly IncidentRow[]; more: boolean }> => get(`/incidents?${query}`, signal),
  incident: async (id: number, signal?: AbortSignal): Promise<IncidentPage> =>
    (await get<{ incident: IncidentPage }>(`/incidents/${id}`, signal)).incident,
  timeline: (fromMs: number, stepMs: number, signal?: AbortSignal): Promise<Timeline> =>
    get(`/timeline?from=${fromMs}&step=${stepMs}`, signal),
  causes: async (signal?: AbortSignal): Promise<readonly CauseRow[]> =>
    (await get<{ causes: readonly CauseRow[] }>('/causes', signal)).causes,
  /** The catalogue is the product's own text: its line breaks stay. */
  cause: async (id: string, signal?: AbortSignal): Promise<CausePage> =>
    (await request<{ cause: CausePage }>(`/causes/${encodeURIComponent(id)}`, { signal: signal ?? null })).cause,
  search: (text: string, signal?: AbortSignal): Promise<SearchResult> =>
    get(`/search?limit=8&q=${encodeURIComponent(text)}`, signal),
  previewRepair: (id: number, remedyId: string): Promise<Preview> =>
    post(`/incidents/${id}/repair/preview`, { remedyId }),
  repair: async (id: number, token: string): Promise<Repair> =>
    (await post<{ repair: Repair }>(`/incidents/${id}/repair`, { confirm: token })).repair,
};

/** Opens the stream of events. */
export function openEvents(lastEventId: string, signal: AbortSignal): Promise<Response> {
  return fetchAnswer(`${BASE}/events`, {
    headers: { accept: 'text/event-stream', ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) },
    cache: 'no-store',
    signal,
  });
}

/** Logs in with the token of the watch. */
export async function logIn(token: string): Promise<void> {
  await fetchAnswer('/login', jsonPost({ token }), false);
}

/** Ends the session. */
export async function logOut(): Promise<void> {
  await fetchAnswer('/logout', jsonPost({}), false);
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return safe(await request<T>(path, { signal: signal ?? null }));
}

async function post<T>(path: string, body: unknown): Promise<T> {
  return safe(await request<T>(path, jsonPost(body)));
}

function jsonPost(body: unknown): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-synscope': '1' },
    body: JSON.stringify(body),
  };
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await fetchAnswer(BASE + path, init);
  return (await answer.json()) as T;
}

async function fetchAnswer(url: string, init: RequestInit, mayLogIn = true): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, credentials: 'same-origin' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'no-answer', 'The watch does not answer', 'Is `synscope watch` still running?');
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && mayLogIn) loginRequired();
  throw await failureOf(answer);
}

async function failureOf(answer: Response): Promise<ApiError> {
  try {
    const { error } = safe((await answer.json()) as { error: { code: string; message: string; hint?: string } });
    return new ApiError(answer.status, error.code, error.message, error.hint);
  } catch {
    return new ApiError(answer.status, 'unknown', `The watch answered with status ${answer.status}`);
  }
}
