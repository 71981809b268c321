/** One change that `ip -ts monitor route link address rule` printed. */
export interface MonitoredChange {
  /** Milliseconds since 1970 by the host's clock, when its time zone is UTC (`TZ=UTC`). */
  readonly timeMs: number;
  readonly what:
    | 'route-added'
    | 'route-deleted'
    | 'link-up'
    | 'link-down'
    | 'address-added'
    | 'address-deleted'
    | 'rule-added'
    | 'rule-deleted'
    | 'other';
  /** As it was printed, on one line, without the time. */
  readonly text: string;
}

/** At most so many changes are kept: the first ones, which is where a story begins. */
const MAX_CHANGES = 10_000;

/**
 * Parses what `ip -ts monitor route link address rule` printed. Give the command `TZ=UTC` in its environment: it prints the time of
 * its zone without naming it. Routes of the local table, and those of multicast, are left out: they follow addresses and links.
 */
export function parseIpMonitor(output: string): readonly MonitoredChange[] {
  const changes: MonitoredChange[] = [];
  const running = new Map<string, boolean>();
  for (const entry of output.split(/^(?=\[\d{4}-\d\d-\d\dT[\d:.]+\] )/m)) {
    if (changes.length >= MAX_CHANGES) break;
    const match = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)\] (?:\[\w+\])?\s*([\s\S]+)$/.exec(entry);
    if (match === null) continue;
    const timeMs = Date.parse(`${match[1]}Z`);
    const text = match[2]!.trim().replace(/\s+/g, ' ');
    const what = whatChanged(text, running);
    if (what !== undefined && Number.isFinite(timeMs)) changes.push({ timeMs, what, text: text.slice(0, 500) });
  }
  return changes;
}

/** @param running Whether each link was seen to run: a link message comes for many reasons, and says nothing of what changed. */
function whatChanged(text: string, running: Map<string, boolean>): MonitoredChange['what'] | undefined {
  const deleted = text.startsWith('Deleted ');
  const body = deleted ? text.slice(8) : text;
  if (/^\d+: \S+ +inet6? /.test(body)) return deleted ? 'address-deleted' : 'address-added';
  const link = /^\d+: ([^\s:]+): <([^>]*)>/.exec(body);
  if (link !== null) {
    const name = link[1]!.split('@')[0]!;
    // NO-CARRIER is printed of a link that is up and has none; LOWER_UP may still stand beside it.
    const flags = link[2]!.split(',');
    const runs = !deleted && flags.includes('UP') && flags.includes('LOWER_UP') && !flags.includes('NO-CARRIER');
    const before = running.get(name);
    running.set(name, runs);
    if (before === runs) return 'other';
    return runs ? (before === undefined ? 'other' : 'link-up') : 'link-down';
  }
  if (/^\d+: (not )?from /.test(body)) return deleted ? 'rule-deleted' : 'rule-added';
  if (!isForwardingRoute(body)) return undefined;
  return deleted ? 'route-deleted' : 'route-added';
}

const ROUTE_TYPES = '(?:unicast |blackhole |unreachable |prohibit |throw )?';
const ROUTE = new RegExp(`^${ROUTE_TYPES}(?:default|[\\da-f.:]+(?:/\\d+)?)(?: |$)`, 'i');

function isForwardingRoute(body: string): boolean {
  return ROUTE.test(body) && !/ table local( |$)/.test(body);
}
