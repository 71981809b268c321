import { createState, type State } from '../lib/state.ts';
import { ApiError, api, openEvents } from './client.ts';
import { safe } from './safe.ts';
import { type SseEvent, SseParser } from './sse.ts';
import type { Counts, Fate, IncidentRow, Listener, Status } from './types.ts';

/** How the connection to the watch is. */
export type Connection =
  | { readonly state: 'connecting' | 'live' }
  | { readonly state: 'lost'; readonly sinceMs: number; readonly retryMs: number; readonly reason: string };

/** A fate with a key that no other one has. */
export interface LiveFate extends Fate {
  readonly key: number;
}

/** Fates that are kept; the oldest go first. */
export const MAX_FATES = 500;

/** The watch comments every 15 s: after this long without a byte the connection is dead. */
const SILENCE_MS = 40_000;
const STATUS_EVERY_MS = 30_000;
const FATES_EVERY_MS = 400;
const MAX_WAIT_MS = 15_000;

export const connection: State<Connection> = createState<Connection>({ state: 'connecting' });
export const status: State<Status | undefined> = createState<Status | undefined>(undefined);
export const listeners: State<readonly Listener[] | undefined> = createState<readonly Listener[] | undefined>(
  undefined,
);
export const openIncidents: State<readonly IncidentRow[] | undefined> = createState<readonly IncidentRow[] | undefined>(
  undefined,
);
/** The incident that changed last. */
export const changedIncident: State<IncidentRow | undefined> = createState<IncidentRow | undefined>(undefined);
export const fates: State<readonly LiveFate[]> = createState<readonly LiveFate[]>([]);
/** Counts that came last. */
export const counts: State<readonly Counts[]> = createState<readonly Counts[]>([]);
/** Grows with each connection after the first: the page may have missed something and has to ask anew. */
export const epoch: State<number> = createState(0);
/** Add it to this machine's clock to get the watch's, in milliseconds. */
export const clockOffsetMs: State<number> = createState(0);

let running: AbortController | undefined;
let wake: () => void = () => undefined;
let lastEventId = '';
let connectedBefore = false;
let newFates: LiveFate[] = [];
let fateKey = 0;

/** Starts to follow the watch, or starts anew after a login. */
export function startLive(): void {
  running?.abort();
  running = new AbortController();
  void follow(running.signal);
  void keepStatus(running.signal);
}

/** Stops to follow the watch. */
export function stopLive(): void {
  running?.abort();
}

/** Tries to connect now, without waiting any longer. */
export function retryNow(): void {
  wake();
}

async function follow(signal: AbortSignal): Promise<void> {
  const flush = setInterval(flushFates, FATES_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(flush));
  for (let failures = 0; !signal.aborted; failures += 1) {
    let reason = 'The connection to the watch was closed';
    try {
      await readStream(signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError) {
        if (error.status === 401) return;
        reason = error.message;
      }
    }
    const before = connection.get();
    const waitMs = Math.min(MAX_WAIT_MS, 1000 * 2 ** failures) * (0.75 + Math.random() / 2);
    connection.set({
      state: 'lost',
      sinceMs: before.state === 'lost' ? before.sinceMs : Date.now(),
      retryMs: Date.now() + waitMs,
      reason,
    });
    await pause(waitMs, signal);
  }
}

async function readStream(signal: AbortSignal, onHello: () => void): Promise<void> {
  const attempt = new AbortController();
  const stop = (): void => attempt.abort();
  signal.addEventListener('abort', stop);
  let alarm = setTimeout(stop, SILENCE_MS);
  try {
    const answer = await openEvents(lastEventId, attempt.signal);
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser(lastEventId);
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) return;
      clearTimeout(alarm);
      alarm = setTimeout(stop, SILENCE_MS);
      for (const event of parser.push(piece.value)) {
        lastEventId = event.id;
        if (event.type === 'hello') onHello();
        if (event.type === 'bye') throw new ApiError(0, 'ended', 'The watch ended');
        take(event);
      }
    }
  } finally {
    clearTimeout(alarm);
    signal.removeEventListener('abort', stop);
    attempt.abort();
  }
}

function take({ type, data }: SseEvent): void {
  const value = safe(JSON.parse(data)) as Readonly<Record<string, unknown>>;
  switch (type) {
    case 'hello': {
      connection.set({ state: 'live' });
      void refresh();
      // Counts and fates are not sent again, so even a stream that was resumed leaves a gap.
      if (connectedBefore) epoch.set(epoch.get() + 1);
      connectedBefore = true;
      break;
    }
    case 'incident':
      takeIncident(value.incident as IncidentRow);
      break;
    case 'fate':
      fateKey += 1;
      newFates.push({ ...(value.fate as Fate), key: fateKey });
      break;
    case 'counts':
      counts.set(value.counts as readonly Counts[]);
      break;
    case 'listeners':
      listeners.set(value.listeners as readonly Listener[]);
      break;
  }
}

function takeIncident(incident: IncidentRow): void {
  const others = (openIncidents.get() ?? []).filter(({ id }) => id !== incident.id);
  openIncidents.set(incident.state === 'open' ? [incident, ...others].sort((one, other) => other.id - one.id) : others);
  changedIncident.set(incident);
}

function flushFates(): void {
  if (newFates.length === 0) return;
  const kept = [...newFates.reverse(), ...fates.get()];
  newFates = [];
  fates.set(kept.slice(0, MAX_FATES));
}

/** Reads what the stream does not tell, or may not have told. */
async function refresh(): Promise<void> {
  const ask = [refreshStatus(), api.listeners().then((all) => listeners.set(all)), refreshOpen()];
  await Promise.allSettled(ask);
}

async function refreshOpen(): Promise<void> {
  const { incidents } = await api.incidents(new URLSearchParams({ state: 'open', limit: '200' }));
  openIncidents.set(incidents);
}

/** Reads the status of the watch anew. */
async function refreshStatus(): Promise<void> {
  const now = await api.status();
  clockOffsetMs.set(Date.parse(now.nowAt) - Date.now());
  status.set(now);
}

async function keepStatus(signal: AbortSignal): Promise<void> {
  const timer = setInterval(() => {
    if (connection.get().state === 'live') void refreshStatus().catch(() => undefined);
  }, STATUS_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', wake);
  });
}
