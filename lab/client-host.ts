import { basename } from 'node:path';
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
import type { LabConnect } from '../src/model/scenario.ts';
import type { Setting } from './run-scenario.ts';

/**
 * The client of the lab as a program sees it that runs where the plan's own attempt does: its connects come from the same source
 * address, device, sandbox or cgroup.
 */
export class LabClientHost implements Host {
  readonly #host: Host;
  readonly #setting: Setting;
  readonly #attempt: LabConnect;

  constructor(host: Host, setting: Setting, attempt: LabConnect) {
    this.#host = host;
    this.#setting = setting;
    this.#attempt = attempt;
  }

  get spec(): string {
    return this.#host.spec;
  }

  readFile(path: string): Promise<string> {
    const { cgroup } = this.#attempt;
    if (path === '/proc/self/cgroup' && cgroup !== undefined) {
      return Promise.resolve(`0::/${basename(this.#setting.lab.cgroup(cgroup))}\n`);
    }
    return this.#host.readFile(path);
  }

  listDirectory(path: string): Promise<readonly string[]> {
    return this.#host.listDirectory(path);
  }

  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.#host.run(argv, options);
  }

  stream(argv: readonly string[]): HostStream {
    return this.#host.stream(argv);
  }

  capture(spec: CaptureSpec): Promise<HostCapture> {
    return this.#host.capture(spec);
  }

  async connect(request: ConnectRequest): Promise<ConnectOutcome> {
    const { lab, names, target } = this.#setting;
    const isProbe = request.port !== target.port || request.ttl !== undefined;
    if (isProbe || Object.keys(this.#attempt).length === 0) return this.#host.connect(request);
    const { address, port, timeoutMs, holdMs = 0 } = request;
    const how = { patienceMs: timeoutMs, readMs: holdMs, ...this.#attempt, address, port, count: 1 };
    const [result] = await lab.connect('client', how, names);
    if (result === undefined) return { errno: 'ECANCELED', elapsedMs: 0 };
    const { remote: _, ...outcome } = result;
    return outcome;
  }

  nowNs(): Promise<bigint> {
    return this.#host.nowNs();
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}
