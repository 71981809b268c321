import type { Host, HostCapture } from '../../host/host.ts';

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

/**
 * The packets of a network namespace. As a rule one ring takes those of all interfaces. The kernel then copies every packet that leaves, on
 * loopback as well, where each is seen coming in anyway: where loopback is busy that is most of the cost of a watch. So it can be
 * split: a ring for loopback that is not given what leaves, and one for each of the other interfaces. A handshake takes one
 * of these ways, so that its packets stay in order.
 */
export class CaptureSet {
  private readonly options: CaptureSetOptions;
  private running: Running[] = [];
  private lostBefore = 0;
  private filter: Uint8Array = new Uint8Array();
  /** Interfaces with a ring of their own beside loopback; undefined while one ring takes all. */
  private devices: readonly number[] | undefined;
  private begun = false;
  private changing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: CaptureSetOptions) {
    this.options = options;
  }

  get isRunning(): boolean {
    return this.running.length > 0;
  }

  get isSplit(): boolean {
    return this.devices !== undefined;
  }

  lost(): number {
    return this.running.reduce((sum, { capture }) => sum + capture.lost(), this.lostBefore);
  }

  /** @throws HostError when packets cannot be captured. */
  async start(filter: Uint8Array): Promise<void> {
    this.filter = filter;
    await this.replace(undefined);
  }

  setFilter(filter: Uint8Array): void {
    this.filter = filter;
    for (const { capture } of this.running) capture.setFilter?.(filter);
  }

  /** Captures these interfaces and loopback, each with a ring of its own; undefined: all with one ring. */
  use(devices: readonly number[] | undefined): void {
    this.changing = this.changing.then(async () => {
      if (this.stopped) return;
      try {
        await this.replace(devices);
      } catch (error) {
        this.options.onError(error);
      }
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.changing;
    await this.end(this.running);
    this.running = [];
  }

  /** The new rings run before the old ones end: a packet that both have is known by its copies. */
  private async replace(devices: readonly number[] | undefined): Promise<void> {
    const { host, bufferBytes, handOverMs } = this.options;
    const before = this.running;
    const bare = { filter: this.filter, handOverMs };
    const specs =
      devices === undefined
        ? [{ ...bare, bufferBytes }]
        : [
            { ...bare, bufferBytes: MIB, interfaceIndex: LOOPBACK, ignoreOutgoing: true },
            ...devices.map((interfaceIndex) => ({ ...bare, bufferBytes: Math.min(bufferBytes, MIB), interfaceIndex })),
          ];
    const opened: Running[] = [];
    try {
      for (const spec of specs) {
        const capture = await host.capture(spec);
        await capture.ready;
        opened.push({ capture, pumped: this.pump(capture) });
      }
    } catch (error) {
      await this.end(opened);
      throw error;
    }
    this.running = opened;
    this.devices = devices;
    // The filter may have changed meanwhile.
    this.setFilter(this.filter);
    await this.end(before);
  }

  private async end(running: readonly Running[]): Promise<void> {
    for (const { capture } of running) {
      this.lostBefore += capture.lost();
      capture.stop(true);
    }
    await Promise.all(running.map(({ pumped }) => pumped));
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
