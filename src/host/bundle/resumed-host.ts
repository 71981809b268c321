import {
  type CaptureSpec,
  type CommandResult,
  type ConnectOutcome,
  type ConnectRequest,
  type Host,
  type HostCapture,
  HostError,
  type HostStream,
  type RunOptions,
} from '../host.ts';
import type { BundleHost } from './bundle-host.ts';

/**
 * A recording whose watch is over while the host is still there: what was before the watch and in it comes from the recording,
 * and what is asked after it from the host.
 */
export class ResumedHost implements Host {
  readonly spec: string;
  private readonly recorded: BundleHost;
  private readonly live: Host;
  private watching = false;

  constructor(recorded: BundleHost, live: Host) {
    this.spec = live.spec;
    this.recorded = recorded;
    this.live = live;
  }

  readFile(path: string): Promise<string> {
    return this.ask((host) => host.readFile(path));
  }

  listDirectory(path: string): Promise<readonly string[]> {
    return this.ask((host) => host.listDirectory(path));
  }

  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.ask((host) => host.run(argv, options));
  }

  stream(argv: readonly string[]): HostStream {
    return this.recorded.stream(argv);
  }

  capture(spec: CaptureSpec): Promise<HostCapture> {
    return this.recorded.capture(spec);
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return this.recorded.connect(request);
  }

  nowNs(): Promise<bigint> {
    return this.ask((host) => host.nowNs());
  }

  beginWatch(): void {
    this.watching = true;
  }

  async close(): Promise<void> {}

  private async ask<T>(question: (host: Host) => Promise<T>): Promise<T> {
    if (this.watching) return question(this.live);
    try {
      return await question(this.recorded);
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'not-recorded') throw error;
      return question(this.live);
    }
  }
}
