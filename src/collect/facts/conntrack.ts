import { type ConntrackEntry, parseConntrackEntries } from '../../formats/procfs/conntrack-entries.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFileIfAny, readFiles } from '../../host/read-files.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Conntrack } from '../../model/facts/packet-filter.ts';
import { type Collector, defineCollector, hasAttempt } from './collector.ts';

const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count';
const MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
const TABLE = '/proc/net/nf_conntrack';

/** Up to so many entries the whole table is read as a file, which loads no module; beyond, the tool lets the kernel choose. */
const SMALL_TABLE = 4096;
/** Entries of the attempt that are kept. */
const ENTRIES = 32;

interface Reading {
  readonly count?: number;
  readonly max?: number;
  /** Absent when they could not be read. */
  readonly entries?: readonly ConntrackEntry[];
}

/** Connection tracking: how full its table is, and its entries between the two addresses of the attempt. */
export const conntrack: Collector = defineCollector<'conntrack', Reading>({
  provides: 'conntrack',
  baseline: false,
  async read(host, scope) {
    const sizes = await readFiles(host, [COUNT, MAX]);
    const count = numberIn(sizes.get(COUNT));
    const max = numberIn(sizes.get(MAX));
    // Without the module there are no entries, and asking for them must not load it.
    if (count === undefined) return { entries: [], ...(max === undefined ? {} : { max }) };
    if (count === 0) return { count, entries: [], ...(max === undefined ? {} : { max }) };
    const entries = hasAttempt(scope) ? await readEntries(host, scope.attempt, count) : undefined;
    return { count, ...(max === undefined ? {} : { max }), ...(entries === undefined ? {} : { entries }) };
  },
  fact({ count, max, entries }, _before, { attempt }) {
    const value: Conntrack = {
      ...(count === undefined ? {} : { count }),
      ...(max === undefined ? {} : { max }),
      entries: (entries ?? [])
        .filter((entry) => concerns(entry, attempt))
        .sort((a, b) => Number(isExact(b, attempt)) - Number(isExact(a, attempt)))
        .slice(0, ENTRIES)
        .map(({ state, unreplied, assured, reply, text }) => ({
          ...(state === undefined ? {} : { state }),
          unreplied,
          assured,
          replySource: reply.source,
          replySourcePort: reply.sourcePort,
          text,
        })),
      entriesRead: entries !== undefined,
    };
    return { value, source: entries === undefined ? COUNT : 'conntrack' };
  },
});

async function readEntries(host: Host, attempt: Attempt, count: number): Promise<ConntrackEntry[] | undefined> {
  if (count <= SMALL_TABLE) {
    const table = await readFileIfAny(host, TABLE);
    if (table !== undefined) return parseConntrackEntries(table);
  }
  const { client, server, family } = attempt;
  const filter = ['--orig-src', client.address, '--orig-dst', server.address, '--orig-port-dst', `${server.port}`];
  try {
    const argv = ['conntrack', '-L', '-f', family === 6 ? 'ipv6' : 'ipv4', '-p', 'tcp', ...filter];
    const { exitCode, stdout } = await host.run(argv, { timeoutMs: 5000, maxBytes: 1 << 20 });
    return exitCode === 0 ? parseConntrackEntries(stdout) : undefined;
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** Between the addresses of the attempt, before or after translation, to the port of the server. */
function concerns({ original, reply }: ConntrackEntry, { client, server }: Attempt): boolean {
  return (
    (original.source === client.address &&
      original.destination === server.address &&
      original.destinationPort === server.port) ||
    (reply.source === server.address && reply.sourcePort === server.port && reply.destination === client.address)
  );
}

function isExact({ original, reply }: ConntrackEntry, { client }: Attempt): boolean {
  return original.sourcePort === client.port || reply.destinationPort === client.port;
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined || !/^\d{1,10}$/.test(text.trim()) ? undefined : Number(text);
}
