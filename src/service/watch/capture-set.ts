import type { CaptureSpec, Host, HostCapture } from '../../host/host.ts';

/** How a {@link CaptureSet} captures. */
export interface CaptureSetOptions {
  readonly host: Host;
  /** Of a ring as long as little comes; small, as a host may have many network namespaces. */
  readonly bufferBytes: number;
  /** Of a ring once more came than that holds well. */
  readonly busyBufferBytes: number;
  readonly handOverMs: number;
  /** Gets the bytes of one capture file, in pieces that end with a packet. */
  readonly onChunk: (chunk: Uint8Array) => void;
  readonly onError: (error: unknown) => void;
}

/** Loopback is `lo`, and has this index in every network namespace. */
const LOOPBACK = 1;
const MIB = 1024 * 1024;
const BUSY_WINDOW_MS = 100;

interface Running {
  readonly capture: HostCapture;
  readonly pumped: Promise<void>;
}

/**
 * The packets of a network namespace. As a rule one ring takes those of all interfaces. The kernel then copies every packet that leaves, on
 * loopback as well, where each is seen coming in anyway: where loopback is busy that is most of the cost of a watch. So it can be
 * split: a ring for loopback that is not given what leaves, and one for each of the other interfaces. A handshake takes one
 * of these ways, so that its packets stay in order. The ring of loopback can then be left out for a while.
 */
export class CaptureSet {
  private readonly options: CaptureSetOptions;
  /** By what they capture, and their size. */
  private readonly running: Map<string, Running> = new Map();
  private bufferBytes: number;
  private sinceMs = 0;
  private taken = 0;
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
    this.bufferBytes = options.bufferBytes;
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
  private wanted(): Map<string, CaptureSpec> {
    const { devices, bufferBytes } = this;
    const bare = { filter: this.filter, handOverMs: this.options.handOverMs };
    if (devices === undefined) return new Map([[`all ${bufferBytes}`, { ...bare, bufferBytes }]]);
    const wanted = new Map<string, CaptureSpec>();
    if (!this.isLoopbackPaused) {
      wanted.set('loopback', { ...bare, bufferBytes: MIB, interfaceIndex: LOOPBACK, ignoreOutgoing: true });
    }
    for (const interfaceIndex of devices) {
      wanted.set(`device ${interfaceIndex}`, { ...bare, bufferBytes: Math.min(bufferBytes, MIB), interfaceIndex });
    }
    return wanted;
  }

  /** The new rings run before the old ones end: a packet that both have is known by its copies. */
  private async replace(): Promise<void> {
    const wanted = this.wanted();
    const opened: string[] = [];
    try {
      for (const [ring, spec] of wanted) {
        if (this.running.has(ring)) continue;
        const capture = await this.options.host.capture(spec);
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
    await this.end([...this.running.keys()].filter((ring) => !wanted.has(ring)));
  }

  /** Takes a larger ring when more comes within a moment than a part of it holds. */
  private measure(bytes: number): void {
    const { busyBufferBytes } = this.options;
    if (this.bufferBytes >= busyBufferBytes) return;
    const nowMs = Date.now();
    if (nowMs - this.sinceMs > BUSY_WINDOW_MS) {
      this.sinceMs = nowMs;
      this.taken = 0;
    }
    this.taken += bytes;
    if (this.taken < this.bufferBytes / 4) return;
    void this.change(() => {
      this.bufferBytes = busyBufferBytes;
    });
  }

  private async end(rings: readonly string[]): Promise<void> {
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
        this.measure(chunk.length);
        if (wanted && !this.stopped) this.options.onChunk(chunk);
      }
    } catch (error) {
      this.options.onError(error);
    }
  }
}
