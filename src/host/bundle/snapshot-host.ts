import type {
  CaptureSpec,
  CommandResult,
  ConnectOutcome,
  ConnectRequest,
  Host,
  HostCapture,
  HostStream,
  RunOptions,
} from '../host.ts';
import { keyOf } from './entry.ts';

/**
 * Asks another host each question only once: whoever asks the same again gets the same answer, until {@link forget}. So several
 * diagnoses see one state of the host, and the host is asked little.
 */
export class SnapshotHost implements Host {
  readonly spec: string;
  private readonly host: Host;
  private readonly answers = new Map<string, Promise<unknown>>();

  constructor(host: Host) {
    this.host = host;
    this.spec = host.spec;
  }

  /** Begins anew: every question is asked again. */
  forget(): void {
    this.answers.clear();
  }

  readFile(path: string): Promise<string> {
    return this.once(keyOf({ op: 'readFile', path }), () => this.host.readFile(path));
  }

  listDirectory(path: string): Promise<readonly string[]> {
    return this.once(keyOf({ op: 'listDirectory', path }), () => this.host.listDirectory(path));
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const { input } = options;
    const key = keyOf({ op: 'run', argv, ...(input === undefined ? {} : { input }) });
    return this.once(key, () => this.host.run(argv, options));
  }

  stream(argv: readonly string[]): HostStream {
    return this.host.stream(argv);
  }

  capture(spec: CaptureSpec): Promise<HostCapture> {
    return this.host.capture(spec);
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return this.host.connect(request);
  }

  nowNs(): Promise<bigint> {
    return this.host.nowNs();
  }

  beginWatch(): void {
    this.host.beginWatch?.();
  }

  close(): Promise<void> {
    return this.host.close();
  }

  private once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.answers.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const answer = ask();
    this.answers.set(key, answer);
    return answer;
  }
}
