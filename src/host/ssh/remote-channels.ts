import type { CommandResult, RunOptions } from '../host.ts';
import { NotBegun, RemoteChannel } from './remote-channel.ts';

/** Several shells on another machine that run commands for us, each one at a time; they are started as they are needed. */
export class RemoteChannels {
  private readonly start: () => readonly string[];
  private limit: number;
  private readonly all = new Set<RemoteChannel>();
  private readonly idle: RemoteChannel[] = [];
  private readonly waiting: ((channel: RemoteChannel | undefined) => void)[] = [];

  /**
   * @param start the command that starts such a shell: see `SHELL_WORDS`.
   * @param limit how many there are at most.
   */
  constructor(start: () => readonly string[], limit: number) {
    this.start = start;
    this.limit = limit;
  }

  /**
   * Runs a command; undefined when it is too long for this way.
   * @throws HostError
   * @throws NotBegun when no shell can be had there.
   */
  async run(argv: readonly string[], options: RunOptions): Promise<CommandResult | undefined> {
    for (;;) {
      const channel = await this.take();
      try {
        return await channel.run(argv, options);
      } catch (error) {
        // A server may allow fewer sessions at a time: with those that there are it takes longer, and works.
        if (!(error instanceof NotBegun) || this.all.size <= 1) throw error;
        this.limit = Math.max(1, this.all.size - 1);
      } finally {
        this.giveBack(channel);
      }
    }
  }

  /** Ends all of them, and what they run; resolves when they are gone. */
  async end(): Promise<void> {
    this.limit = 0;
    for (const wake of this.waiting.splice(0)) wake(undefined);
    await Promise.all([...this.all].map((channel) => channel.end()));
  }

  private async take(): Promise<RemoteChannel> {
    for (;;) {
      const channel = this.idle.pop();
      if (channel !== undefined && !channel.isOver) return channel;
      if (channel !== undefined) {
        this.all.delete(channel);
        continue;
      }
      if (this.all.size < this.limit) {
        const made = new RemoteChannel(this.start());
        this.all.add(made);
        return made;
      }
      if (this.limit === 0) throw new NotBegun('', null);
      const given = await new Promise<RemoteChannel | undefined>((resolve) => this.waiting.push(resolve));
      if (given !== undefined) return given;
    }
  }

  private giveBack(channel: RemoteChannel): void {
    if (channel.isOver) this.all.delete(channel);
    const next = this.waiting.shift();
    if (next !== undefined) next(channel.isOver ? undefined : channel);
    else if (!channel.isOver) this.idle.push(channel);
  }
}
