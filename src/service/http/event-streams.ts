import type { ServerResponse } from 'node:http';
import type { Incident } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import { encodeJson } from '../../report/json.ts';
import type { JsonValue } from '../../report/json-values.ts';
import { incidentSummaryValue } from '../history/incident-json.ts';
import type { WatchEvent, WatchView } from '../watch/view.ts';
import { ApiError } from './api-error.ts';
import { countsValues, fateValue, listenerValue } from './values.ts';

const MAX_STREAMS = 32;
const HEARTBEAT_MS = 15_000;
/** So many incidents are remembered for readers that come back. */
const MAX_REMEMBERED = 500;
/** A reader that has so much waiting gets no fates; with more, it is let go. */
const SLOW_BYTES = 65_536;
const TOO_SLOW_BYTES = 2_097_152;

interface Remembered {
  readonly number: number;
  readonly text: string;
}

/** Those who follow the events of a watch (server-sent events; WHATWG HTML section 9.2). */
export class EventStreams {
  readonly #view: WatchView;
  readonly #readers: Set<ServerResponse> = new Set();
  readonly #unsubscribe: () => void;
  readonly #heartbeat: NodeJS.Timeout;
  /** Tells the numbers of this watch from those of an earlier one. */
  readonly #epoch: string = Date.now().toString(36);
  #remembered: Remembered[] = [];
  #number = 0;

  constructor(view: WatchView) {
    this.#view = view;
    this.#unsubscribe = view.subscribe((event) => this.#pass(event));
    this.#heartbeat = setInterval(() => this.#send(':\n\n'), HEARTBEAT_MS).unref();
  }

  /** How many follow now. */
  get count(): number {
    return this.#readers.size;
  }

  /**
   * Lets a response follow the events from now on, after what it missed since `lastEventId`.
   * @throws ApiError 503 when too many follow already
   */
  add(response: ServerResponse, lastEventId: string | undefined, headers: Readonly<Record<string, string>>): void {
    if (this.#readers.size >= MAX_STREAMS) {
      throw new ApiError(503, 'too-many-listeners', `${MAX_STREAMS} readers follow the events already`, {
        retryAfter: 30,
      });
    }
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const missed = this.#missedSince(lastEventId);
    const hello = {
      schemaVersion: 1,
      resumed: missed !== undefined,
      startedAt: formatTimestamp(this.#view.status().startedNs),
    };
    const id = `id: ${this.#epoch}-${this.#number}\n`;
    response.write(`retry: 3000\n\n${frame('hello', hello, missed === undefined ? id : '')}`);
    for (const { text } of missed ?? []) response.write(text);
    this.#readers.add(response);
    response.once('close', () => this.#readers.delete(response));
  }

  /** Tells all that the watch ends, and lets them go. */
  close(): void {
    this.#unsubscribe();
    clearInterval(this.#heartbeat);
    for (const response of this.#readers) response.end(frame('bye', {}));
    this.#readers.clear();
  }

  #pass(event: WatchEvent): void {
    if (event.type === 'incident') this.#passIncident(event.incident);
    else if (this.#readers.size === 0) return;
    else if (event.type === 'fate') this.#send(frame('fate', { fate: fateValue(event.fate) }), true);
    else if (event.type === 'counts') this.#send(frame('counts', { counts: countsValues(event.counts) }));
    else this.#send(frame('listeners', { listeners: event.listeners.map(listenerValue) }));
  }

  #passIncident(incident: Incident): void {
    this.#number += 1;
    const id = `id: ${this.#epoch}-${this.#number}\n`;
    const text = frame('incident', { incident: incidentSummaryValue(incident) }, id);
    this.#remembered.push({ number: this.#number, text });
    if (this.#remembered.length > MAX_REMEMBERED * 1.25) this.#remembered = this.#remembered.slice(-MAX_REMEMBERED);
    this.#send(text);
  }

  #send(text: string, mayDrop = false): void {
    for (const response of this.#readers) {
      if (response.writableLength > TOO_SLOW_BYTES) response.destroy();
      else if (!mayDrop || response.writableLength <= SLOW_BYTES) response.write(text);
    }
  }

  /** undefined when it cannot be told what was missed. */
  #missedSince(lastEventId: string | undefined): readonly Remembered[] | undefined {
    const [, epoch, number] = /^([\da-z]+)-(\d{1,15})$/.exec(lastEventId ?? '') ?? [];
    if (epoch !== this.#epoch || Number(number) > this.#number) return undefined;
    const missed = this.#remembered.filter((one) => one.number > Number(number));
    return missed.length === this.#number - Number(number) ? missed : undefined;
  }
}

function frame(event: string, data: JsonValue, id = ''): string {
  return `${id}event: ${event}\ndata: ${encodeJson(data)}\n\n`;
}
