import type { CaptureSpec, Host, HostCapture } from '../../host/host.ts';

/** How a {@link CaptureSet} captures. */
export interface CaptureSetOptions {
  readonly host: Host;
  readonly bufferBytes: number;
  readonly handOverMs: number;
  /** Gets the bytes of one capture file, in pieces that end with a packet. */
  readonly onChunk: (chunk: Uint8Array) => void;
  readonly onError: (error: unknown) => void;
}

/** Loopback is `lo`, and has this index in every network namespace. */
const LOOPBACK = 1;
const MIB = 1024 * 1024;

interface Running {
  readonly capture: HostCapture;
  readonly pumped: Promise<void>;
}

/** A ring: of all interfaces, or of one. */
type Ring = 'all' | number;

/**
 * The packets of a network namespace. As a rule one ring takes those of all interfaces. The kernel then copies every packet that leaves, on
 * loopback as well, where each is seen coming in anyway: where loopback is busy that is most of the cost of a watch. So it can be
 * split: a ring for loopback that is not given what leaves, and one for each of the other interfaces. A handshake takes one
 * of these ways, so that its packets stay in order. The ring of loopback can then be left out for a while.
 */
export class CaptureSet {
  private readonly options: CaptureSetOptions;
  private readonly running: Map<Ring, Running> = new Map();
  private lostBefore = 0;
  private filter: Uint8Array = new Uint8Array();
  /** Interfaces with a ring of their own beside loopback; undefined while one ring takes all. */
  private devices: readonly number[] | undefined;
  private isLoopbackPaused = false;
  private begun = false;
  private changing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: CaptureSetOptions) {
    this.options = options;
  }

  get isSplit(): boolean {
    return this.devices !== undefined;
  }

  lost(): number {
    return [...this.running.values()].reduce((sum, { capture }) => sum + capture.lost(), this.lostBefore);
  }

  /** @throws HostError when packets cannot be captured. */
  async start(filter: Uint8Array): Promise<void> {
    this.filter = filter;
    await this.replace();
  }

  setFilter(filter: Uint8Array): void {
    this.filter = filter;
    for (const { capture } of this.running.values()) capture.setFilter?.(filter);
  }

  /** Captures these interfaces and loopback, each with a ring of its own; undefined: all with one ring. */
  use(devices: readonly number[] | undefined): Promise<void> {
    return this.change(() => {
      this.devices = devices;
      if (devices === undefined) this.isLoopbackPaused = false;
    });
  }

  /** Leaves the packets of loopback out, or takes them again; of no effect while one ring takes all. Resolves when it is so. */
  pauseLoopback(isPaused: boolean): Promise<void> {
    return this.change(() => {
      this.isLoopbackPaused = isPaused && this.devices !== undefined;
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.changing;
    await this.end([...this.running.keys()]);
  }

  private change(how: () => void): Promise<void> {
    this.changing = this.changing.then(async () => {
      if (this.stopped) return;
      how();
      try {
        await this.replace();
      } catch (error) {
        this.options.onError(error);
      }
    });
    return this.changing;
  }

  /** The rings that are wanted now. */
  private wanted(): Ring[] {
    if (this.devices === undefined) return ['all'];
    return this.isLoopbackPaused ? [...this.devices] : [LOOPBACK, ...this.devices];
  }

  /** The new rings run before the old ones end: a packet that both have is known by its copies. */
  private async replace(): Promise<void> {
    const { host } = this.options;
    const wanted = this.wanted();
    const opened: Ring[] = [];
    try {
      for (const ring of wanted) {
        if (this.running.has(ring)) continue;
        const capture = await host.capture(this.specOf(ring));
        await capture.ready;
        opened.push(ring);
        this.running.set(ring, { capture, pumped: this.pump(capture) });
      }
    } catch (error) {
      await this.end(opened);
      throw error;
    }
    // The filter may have changed meanwhile.
    this.setFilter(this.filter);
    await this.end([...this.running.keys()].filter((ring) => !wanted.includes(ring)));
  }

  private specOf(ring: Ring): CaptureSpec {
    const { bufferBytes, handOverMs } = this.options;
    const bare = { filter: this.filter, handOverMs };
    if (ring === 'all') return { ...bare, bufferBytes };
    if (ring === LOOPBACK) return { ...bare, bufferBytes: MIB, interfaceIndex: LOOPBACK, ignoreOutgoing: true };
    return { ...bare, bufferBytes: Math.min(bufferBytes, MIB), interfaceIndex: ring };
  }

  private async end(rings: readonly Ring[]): Promise<void> {
    const ending = rings.flatMap((ring) => this.running.get(ring) ?? []);
    for (const ring of rings) this.running.delete(ring);
    for (const { capture } of ending) {
      capture.stop(true);
      this.lostBefore += capture.lost();
    }
    await Promise.all(ending.map(({ pumped }) => pumped));
  }

  private async pump(capture: HostCapture): Promise<void> {
    let isHeader = true;
    try {
      for await (const chunk of capture.chunks) {
        // Each begins with the header of a file: all together are one file.
        const wanted = !isHeader || !this.begun;
        isHeader = false;
        this.begun = true;
        if (wanted && !this.stopped) this.options.onChunk(chunk);
      }
    } catch (error) {
      this.options.onError(error);
    }
  }
}
