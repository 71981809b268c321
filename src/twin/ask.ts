import { type Host, HostError, type RunOptions } from '../host/host.ts';
import type { NotRead } from './state.ts';

/** Listings of large hosts take seconds, and megabytes. */
const RUN: RunOptions = { timeoutMs: 20_000, maxBytes: 64 << 20 };

/** Asks a host for the parts of its state; what cannot be had is noted, not thrown. */
export class Asker {
  readonly notRead: NotRead[] = [];
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** What a program printed; undefined when it is not there, failed, or was not recorded. */
  async maybe(argv: readonly string[]): Promise<string | undefined> {
    const result = await this.run(argv);
    return 'text' in result ? result.text : undefined;
  }

  /** What the first of several commands printed that can be had; noted under `what` when none can. */
  async list(what: string, ...commands: readonly (readonly string[])[]): Promise<string | undefined> {
    let reason = '';
    for (const argv of commands) {
      const result = await this.run(argv);
      if ('text' in result) return result.text;
      reason = result.reason;
    }
    this.note(what, reason);
    return undefined;
  }

  /** What a program printed, however it ended; undefined when it printed nothing. */
  async printed(argv: readonly string[]): Promise<string | undefined> {
    try {
      const { stdout } = await this.host.run(argv, RUN);
      return stdout === '' ? undefined : stdout;
    } catch (error) {
      if (error instanceof HostError && error.code !== 'unreachable') return undefined;
      throw error;
    }
  }

  /** A file; undefined when it cannot be had. */
  async file(path: string): Promise<string | undefined> {
    try {
      return await this.host.readFile(path);
    } catch (error) {
      if (error instanceof HostError && error.code !== 'unreachable') return undefined;
      throw error;
    }
  }

  /** Notes that something is not in the state. */
  note(what: string, reason: string): void {
    this.notRead.push({ what, reason });
  }

  private async run(argv: readonly string[]): Promise<{ readonly text: string } | { readonly reason: string }> {
    try {
      const { exitCode, stdout, stderr } = await this.host.run(argv, RUN);
      if (exitCode === 0) return { text: stdout };
      const said = stderr.trim().split('\n')[0]?.slice(0, 200);
      return { reason: said === undefined || said === '' ? `${argv[0]} ended with ${exitCode}` : said };
    } catch (error) {
      // A host that cannot be reached has no state at all.
      if (error instanceof HostError && error.code !== 'unreachable') return { reason: error.message };
      throw error;
    }
  }
}
