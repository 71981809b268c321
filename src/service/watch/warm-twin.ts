import { HostError } from '../../host/host.ts';
import { TwinProcess } from '../../twin/twin-process.ts';

/** A process that nobody wanted is let go of after so long. */
const KEPT_MS = 60_000;

/** The process of a copy, started before it is known whether one is needed: that takes a good part of the time in which a client waits. */
export class WarmTwin {
  private twin: Promise<TwinProcess> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts one, unless one is there; it waits for a minute. */
  prepare(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.end(), KEPT_MS).unref();
    this.twin ??= TwinProcess.start();
    // Who takes it is told.
    this.twin.catch(() => undefined);
  }

  /** The one that is there, or a new one; whoever takes it ends it. */
  take(): Promise<TwinProcess> {
    const twin = this.twin ?? TwinProcess.start();
    this.twin = undefined;
    return twin;
  }

  /** Ends the one that nobody took. */
  async end(): Promise<void> {
    clearTimeout(this.timer);
    const { twin } = this;
    this.twin = undefined;
    try {
      await (await twin)?.close();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }
}
