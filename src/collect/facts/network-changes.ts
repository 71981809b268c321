import { type NetworkLine, parseNetworkJournal } from '../../formats/journal/network-lines.ts';
import { type Host, HostError } from '../../host/host.ts';
import { type AttemptScope, type BaselineScope, type Collector, defineCollector, hasAttempt } from './collector.ts';

const COMMAND: readonly string[] = [
  'journalctl',
  '-q',
  '--no-pager',
  '-o',
  'short-unix',
  '--since=-15min',
  '-n',
  '1000',
  '_TRANSPORT=kernel',
  '+',
  '_SYSTEMD_UNIT=systemd-networkd.service',
  '+',
  '_SYSTEMD_UNIT=NetworkManager.service',
];
/** A large journal is slow: what it knows is a hint, and not worth waiting for. */
const WATCHED_MS = 1000;
const SUPPOSED_MS = 150;

interface Reading {
  readonly lines: readonly NetworkLine[];
  readonly nowMs: number;
}

/** What the journal knows of links and leases in the last minutes. Changes during the watch come from `ip monitor`, see parseIpMonitor(). */
export const networkChanges: Collector = defineCollector<'networkChanges', Reading>({
  provides: 'networkChanges',
  baseline: false,
  async read(host, scope) {
    const [output, nowNs] = await Promise.all([readJournal(host, scope), host.nowNs()]);
    return { lines: parseNetworkJournal(output), nowMs: Number(nowNs / 1_000_000n) };
  },
  fact({ lines, nowMs }, _before, { attempt }) {
    const { handshake } = attempt;
    const firstMs =
      handshake === undefined || handshake.segments.length === 0 ? nowMs : Number(handshake.startedAtNs / 1_000_000n);
    const value = lines.map(({ timeMs, what, text }) => ({
      beforeMs: Math.round(firstMs - timeMs),
      what,
      text,
      source: 'journal',
    }));
    return { value, source: 'journalctl' };
  },
});

/** A host without a journal, or one that may not be read, has nothing to tell. */
async function readJournal(host: Host, scope: BaselineScope | AttemptScope): Promise<string> {
  const watched = hasAttempt(scope) && scope.attempt.observed;
  try {
    const { exitCode, stdout } = await host.run(COMMAND, { timeoutMs: watched ? WATCHED_MS : SUPPOSED_MS });
    return exitCode === 0 ? stdout : '';
  } catch (error) {
    if (error instanceof HostError && error.code !== 'unreachable') return '';
    throw error;
  }
}
