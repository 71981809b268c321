import type { Receiver } from './receiver.ts';
import { AlertError } from './send-http.ts';
import type { AlertSubject } from './template.ts';

const MAX_QUEUED = 100;
const TRIES = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
const HOUR_MS = 3_600_000;

/** How a queue is doing. */
export interface QueueNumbers {
  readonly queued: number;
  readonly sent: number;
  readonly failed: number;
  readonly dropped: number;
}

/** What a queue works with; the clock is a parameter for tests. */
export interface QueueOptions {
  readonly receiver: Receiver;
  readonly maxPerHour: number;
  /** Called when an alert is given up, or when some were left out. */
  readonly onTrouble: (message: string) => void;
  readonly wait?: (ms: number) => Promise<void>;
  readonly now?: () => number;
}

/**
 * Sends the alerts of one receiver one after the other, in order, and again when it fails. Bounded: of an incident that is told again only
 * the newest state waits, the oldest alerts go when there are too many, and there are so many an hour.
 */
export class AlertQueue {
  readonly #options: Required<QueueOptions>;
  readonly #stop: AbortController = new AbortController();
  #waiting: AlertSubject[] = [];
  #sending: Promise<void> | undefined;
  #hour: { startMs: number; count: number } = { startMs: 0, count: 0 };
  #sent = 0;
  #failed = 0;
  #dropped = 0;

  constructor(options: QueueOptions) {
    this.#options = { wait: (ms) => delayUntil(ms, this.#stop.signal), now: Date.now, ...options };
  }

  /** Puts an alert into the queue; never waits and never throws. */
  add(subject: AlertSubject): void {
    if (this.#stop.signal.aborted) return;
    const same = this.#waiting.findIndex(
      ({ incident, event }) => incident.id === subject.incident.id && event === subject.event,
    );
    if (same >= 0) {
      this.#waiting[same] = subject;
      return;
    }
    if (!this.#takeFromHour()) {
      this.#drop(`more than ${this.#options.maxPerHour} alerts in an hour`);
      return;
    }
    this.#waiting.push(subject);
    if (this.#waiting.length > MAX_QUEUED) {
      this.#waiting.shift();
      this.#drop('too many alerts wait');
    }
    this.#sending ??= this.#sendAll();
  }

  /** How it is doing. */
  numbers(): QueueNumbers {
    return { queued: this.#waiting.length, sent: this.#sent, failed: this.#failed, dropped: this.#dropped };
  }

  /** Resolves when nothing waits; or after so long, and then nothing is sent any more. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), graceMs);
    await Promise.race([this.#sending, onAbort(this.#stop.signal)]);
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #sendAll(): Promise<void> {
    // What comes in the same step is gathered first.
    await Promise.resolve();
    for (let next = this.#waiting[0]; next !== undefined && !this.#stop.signal.aborted; next = this.#waiting[0]) {
      this.#waiting.shift();
      await this.#deliver(next);
    }
    this.#sending = undefined;
  }

  async #deliver(subject: AlertSubject): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#options.receiver(subject);
        this.#sent += 1;
        return;
      } catch (error) {
        const failure = error instanceof AlertError ? error : new AlertError(String(error), false);
        if (!failure.isTemporary || tries >= TRIES || this.#stop.signal.aborted) {
          this.#failed += 1;
          const again = tries === 1 ? '' : ` (tried ${tries} times)`;
          this.#options.onTrouble(`incident ${subject.incident.id} could not be told: ${failure.message}${again}`);
          return;
        }
        await this.#options.wait(failure.retryAfterMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 4 ** (tries - 1)));
      }
    }
  }

  #takeFromHour(): boolean {
    const nowMs = this.#options.now();
    if (nowMs - this.#hour.startMs >= HOUR_MS) this.#hour = { startMs: nowMs, count: 0 };
    this.#hour.count += 1;
    return this.#hour.count <= this.#options.maxPerHour;
  }

  #drop(why: string): void {
    this.#dropped += 1;
    // Once is enough to know; the metric has the number.
    if (this.#dropped === 1 || this.#dropped % 100 === 0) {
      this.#options.onTrouble(`${this.#dropped} alerts were left out: ${why}`);
    }
  }
}

function delayUntil(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done);
  });
}

function onAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
