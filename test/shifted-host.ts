import type {
  CaptureSpec,
  CommandResult,
  ConnectOutcome,
  ConnectRequest,
  Host,
  HostCapture,
  HostStream,
  RunOptions,
} from '../src/host/host.ts';
import { Sll2Stream, sll2FileHeader } from '../src/host/sll2-stream.ts';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const SECOND_NS = 1_000_000_000n;

/** A host whose clock is ahead of ours (or behind) by some time: what it captures, and what it says the time is. */
export class ShiftedHost implements Host {
  readonly spec: string;
  private readonly host: Host;
  private readonly aheadNs: bigint;

  constructor(host: Host, aheadNs: bigint) {
    this.host = host;
    this.spec = host.spec;
    this.aheadNs = aheadNs;
  }

  readFile(path: string): Promise<string> {
    return this.host.readFile(path);
  }

  listDirectory(path: string): Promise<readonly string[]> {
    return this.host.listDirectory(path);
  }

  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.host.run(argv, options);
  }

  stream(argv: readonly string[]): HostStream {
    return this.host.stream(argv);
  }

  async capture(spec: CaptureSpec): Promise<HostCapture> {
    const capture = await this.host.capture(spec);
    return {
      ready: capture.ready,
      lost: () => capture.lost(),
      stop: (atOnce) => capture.stop(atOnce),
      chunks: this.shifted(capture),
    };
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return this.host.connect(request);
  }

  async nowNs(): Promise<bigint> {
    return (await this.host.nowNs()) + this.aheadNs;
  }

  close(): Promise<void> {
    return this.host.close();
  }

  private async *shifted(capture: HostCapture): AsyncGenerator<Uint8Array> {
    const records = new Sll2Stream();
    yield sll2FileHeader(192).subarray(0, FILE_HEADER_BYTES);
    for await (const chunk of capture.chunks) {
      const bytes = Uint8Array.from(records.push(chunk));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += RECORD_HEADER_BYTES + view.getUint32(at + 8, true)) {
        const ns = BigInt(view.getUint32(at, true)) * SECOND_NS + BigInt(view.getUint32(at + 4, true)) + this.aheadNs;
        view.setUint32(at, Number(ns / SECOND_NS), true);
        view.setUint32(at + 4, Number(ns % SECOND_NS), true);
      }
      if (bytes.length > 0) yield bytes;
    }
  }
}
