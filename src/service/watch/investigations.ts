/** Looks that run at once over the whole host: each asks the host dozens of questions. */
const MOST_AT_ONCE = 2;
const MOST_WAITING = 64;
/** So many looks may follow each other at once; then one in so many milliseconds. */
const BURST = 6;
const REFILL_MS = 4000;

/** Runs looks at failures: one at a time for each service, few at once, not too many in a row. */
export class Investigations {
  private readonly running: Map<string, Promise<void>> = new Map();
  private readonly waiting: Map<string, () => Promise<void>> = new Map();
  private tokens: number = BURST;
  private refilledMs: number = Date.now();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;
  private readonly onBug: (error: unknown) => void;

  /** @param onBug called with what a look threw. */
  constructor(onBug: (error: unknown) => void) {
    this.onBug = onBug;
  }

  /** Whether a service is looked at, or will be. */
  isBusy(service: string): boolean {
    return this.running.has(service) || this.waiting.has(service);
  }

  /** Plans a look. @returns false when one is planned already, or too many are. */
  add(service: string, look: () => Promise<void>): boolean {
    if (this.stopped || this.isBusy(service) || this.waiting.size >= MOST_WAITING) return false;
    this.waiting.set(service, look);
    this.next();
    return true;
  }

  /** Starts no more, and waits for those that run. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.waiting.clear();
    await Promise.all(this.running.values());
  }

  private next(): void {
    const now = Date.now();
    const gained = Math.floor((now - this.refilledMs) / REFILL_MS);
    if (gained > 0) {
      this.tokens = Math.min(BURST, this.tokens + gained);
      this.refilledMs += gained * REFILL_MS;
    }
    for (const [service, look] of this.waiting) {
      if (this.running.size >= MOST_AT_ONCE || this.stopped) return;
      if (this.tokens <= 0) {
        this.timer ??= setTimeout(
          () => {
            this.timer = undefined;
            this.next();
          },
          this.refilledMs + REFILL_MS - now,
        );
        return;
      }
      this.tokens--;
      this.waiting.delete(service);
      this.running.set(service, this.run(service, look));
    }
  }

  private async run(service: string, look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      this.onBug(error);
    } finally {
      this.running.delete(service);
      this.next();
    }
  }
}
