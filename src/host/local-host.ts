import type { NetlinkMessage } from '../formats/netlink/message.ts';
import type {
  CaptureSpec,
  CommandResult,
  ConnectOutcome,
  ConnectRequest,
  Host,
  HostCapture,
  HostStream,
  ListenerOptions,
  RunOptions,
} from './host.ts';
import { capturePackets } from './packet-capture.ts';
import { type Enter, readNames, readText, readTexts } from './read-text.ts';
import { runProcess, streamProcess } from './run-process.ts';
import { connectTcp } from './tcp-connect.ts';

/** This machine, in the network namespace that synscope runs in. */
export class LocalHost implements Host {
  readonly spec: string = 'local';
  /** Surrounds what depends on the network namespace of the thread. */
  protected readonly enter: Enter = (run) => run();
  private readonly closing = new AbortController();

  get environment(): Readonly<Record<string, string | undefined>> {
    return process.env;
  }

  async readFile(path: string): Promise<string> {
    return readText(path, this.enter);
  }

  async readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return readTexts(paths, this.enter);
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    return readNames(path, this.enter);
  }

  async run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return runProcess(argv, options, { enter: this.enter });
  }

  stream(argv: readonly string[]): HostStream {
    return streamProcess(argv, { enter: this.enter });
  }

  async capture(spec: CaptureSpec): Promise<HostCapture> {
    return capturePackets(spec, this.enter);
  }

  async connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return connectTcp(request, this.enter, this.closing.signal);
  }

  async listenerOptions(port: number): Promise<ReadonlyMap<number, ListenerOptions>> {
    const { readListenerOptions } = await import('./listener-options.ts');
    return readListenerOptions(port, this.enter);
  }

  async dumpNetlink(protocol: number, type: number, body: Uint8Array): Promise<readonly NetlinkMessage[]> {
    const { dumpNetlink } = await import('./netlink-socket.ts');
    return dumpNetlink(protocol, type, body, this.enter);
  }

  async nowNs(): Promise<bigint> {
    return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
  }

  /** Ends connections that are still being opened. */
  async close(): Promise<void> {
    this.closing.abort();
  }
}
