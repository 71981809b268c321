import type { CommandResult, RunOptions } from '../host.ts';
import { NotBegun, RemoteChannel } from './remote-channel.ts';

/** So many are started at once: most commands take a few milliseconds, and a session takes longer to be had than they do. */
const READY_CHANNELS = 2;
/** When a command has waited for so long, another one is started. */
const PATIENCE_MS = 150;

/** A shell that ends before it begins a command is not worth more. */
const MAX_TRIES = 3;

/** One who waits for a channel. */
interface Waiting {
  take(channel: RemoteChannel): void;
  fail(error: NotBegun): void;
}

/** Several shells on another machine that run commands for us, each one at a time; more of them are started as they are needed. */
export class RemoteChannels {
  private readonly start: () => readonly string[];
  private limit: number;
  private readonly all = new Set<RemoteChannel>();
  private readonly idle: RemoteChannel[] = [];
  private readonly waiting: Waiting[] = [];
  private starting = 0;

  /**
   * @param start the command that starts such a shell: see `SHELL_WORDS`.
   * @param limit how many there are at most.
   * @param first one that runs already.
   */
  constructor(start: () => readonly string[], limit: number, first?: RemoteChannel) {
    this.start = start;
    this.limit = limit;
    if (first === undefined) return;
    this.all.add(first);
    this.idle.push(first);
  }

  /**
   * Runs a command; undefined when it is too long for this way.
   * @throws HostError
   * @throws NotBegun when no shell can be had there.
   */
  async run(argv: readonly string[], options: RunOptions): Promise<CommandResult | undefined> {
    for (let tries = 1; ; tries++) {
      const channel = await this.take();
      try {
        return await channel.run(argv, options);
      } catch (error) {
        // One that ended before it began anything: another one may do it.
        if (!(error instanceof NotBegun) || tries === MAX_TRIES) throw error;
      } finally {
        this.giveBack(channel);
      }
    }
  }

  /** Ends all of them, and what they run; resolves when they are gone. */
  async end(): Promise<void> {
    this.limit = 0;
    for (const one of this.waiting.splice(0)) one.fail(new NotBegun('', null));
    await Promise.all([...this.all].map((channel) => channel.end()));
  }

  private async take(): Promise<RemoteChannel> {
    for (let channel = this.idle.pop(); channel !== undefined; channel = this.idle.pop()) {
      if (!channel.isOver) return channel;
      this.all.delete(channel);
    }
    if (this.limit === 0) throw new NotBegun('', null);
    if (this.all.size < READY_CHANNELS) this.grow();
    let timer: NodeJS.Timeout | undefined;
    const given = new Promise<RemoteChannel>((take, fail) => {
      this.waiting.push({ take, fail });
      timer = setInterval(() => {
        if (this.starting === 0) this.grow();
      }, PATIENCE_MS);
    });
    return given.finally(() => clearInterval(timer));
  }

  /** Starts another one, which serves whoever has waited longest when it is there. */
  private grow(): void {
    if (this.all.size >= this.limit) return;
    const made = new RemoteChannel(this.start());
    this.all.add(made);
    this.starting++;
    void made.ready.then((failure) => {
      this.starting--;
      if (failure === undefined) this.giveBack(made);
      else this.giveUp(made, failure);
    });
  }

  private giveBack(channel: RemoteChannel): void {
    if (channel.isOver) {
      this.leave(channel);
      if (this.waiting.length > 0 && this.all.size === 0) this.grow();
    } else if (this.waiting.length > 0) this.waiting.shift()?.take(channel);
    else this.idle.push(channel);
  }

  private giveUp(channel: RemoteChannel, failure: NotBegun): void {
    this.leave(channel);
    if (this.all.size > 0) return;
    for (const one of this.waiting.splice(0)) one.fail(failure);
  }

  /** A server may allow fewer sessions at a time: with those that there are it takes longer, and works. */
  private leave(channel: RemoteChannel): void {
    this.all.delete(channel);
    this.limit = Math.min(this.limit, Math.max(1, this.all.size));
  }
}
