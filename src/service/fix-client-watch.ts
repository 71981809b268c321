import { LiveHandshakes } from '../collect/watch/live-handshakes.ts';
import { type Host, type HostCapture, HostError } from '../host/host.ts';
import { keepFromChildren } from '../host/system.ts';
import type { Handshake } from '../model/handshake.ts';

/** The packets of one port while a repair is made: nothing else is read, because only whether a SYN is answered counts. */
export class ClientWatch {
  private readonly live: LiveHandshakes;
  private readonly capture: HostCapture;
  private readonly pumping: Promise<void>;
  private readonly giveBack: () => void;

  private constructor(capture: HostCapture, port: number) {
    this.capture = capture;
    this.live = new LiveHandshakes(port);
    this.giveBack = keepFromChildren(this.live.memory);
    this.pumping = this.pump();
  }

  /** Begins to watch; undefined where packets cannot be captured. */
  static async start(host: Host, port: number): Promise<ClientWatch | undefined> {
    try {
      const capture = await host.capture({ port });
      await capture.ready;
      return new ClientWatch(capture, port);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return undefined;
    }
  }

  /** The attempts of a client that were seen lately. */
  of(client: string): Handshake[] {
    return this.live.recent().filter((one) => one.client.address === client);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.capture.stop(true);
    await this.pumping;
    this.giveBack();
  }

  private async pump(): Promise<void> {
    try {
      for await (const chunk of this.capture.chunks) this.live.push(chunk);
    } catch (error) {
      // What was seen until then counts.
      if (!(error instanceof HostError)) throw error;
    }
  }
}
