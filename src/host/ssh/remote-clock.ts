import { HostError } from '../host.ts';

/** The clock is asked so often at a time; the quickest answer is the most exact one. */
const ASKS = 3;
/** After so long the clocks may have drifted apart. */
const FRESH_MS = 60_000;

/** The clock of another machine, told from ours by how far it is ahead. */
export class RemoteClock {
  private readonly ask: () => Promise<string>;
  private aheadNs: Promise<bigint> | undefined;
  private askedMs = 0;

  /** @param ask prints the other clock, as `date +%s%N` does. */
  constructor(ask: () => Promise<string>) {
    this.ask = ask;
  }

  /** Nanoseconds since 1970 by the other clock. @throws HostError when it cannot be asked. */
  async nowNs(): Promise<bigint> {
    if (this.aheadNs === undefined || performance.now() - this.askedMs > FRESH_MS) {
      this.askedMs = performance.now();
      this.aheadNs = this.measure();
      this.aheadNs.catch(() => {
        this.aheadNs = undefined;
      });
    }
    return (await this.aheadNs) + ownNs();
  }

  private async measure(): Promise<bigint> {
    let best: { readonly tookNs: bigint; readonly aheadNs: bigint } | undefined;
    for (let asks = 0; asks < ASKS; asks++) {
      const before = ownNs();
      const answer = parseClock(await this.ask());
      const tookNs = ownNs() - before;
      if (best === undefined || tookNs < best.tookNs) best = { tookNs, aheadNs: answer - (before + tookNs / 2n) };
    }
    return (best as { readonly aheadNs: bigint }).aheadNs;
  }
}

function ownNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
}

/** Some programs know no `%N` and print it, or nothing, in its place: then only the second is known, and its middle is the best guess. */
function parseClock(text: string): bigint {
  const [, seconds, nanoseconds] = /^(\d{9,11}?)(\d{9})?(?:%?N)?\s*$/.exec(text.trim()) ?? [];
  if (seconds === undefined) throw new HostError('failed', 'the clock cannot be read: date prints no time');
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds ?? 500_000_000);
}
