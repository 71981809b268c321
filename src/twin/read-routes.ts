import { type IpRecord, number, parseIpJson, record, records, text, texts } from '../formats/iproute/ip-json.ts';
import { parseRoute } from '../formats/iproute/routes.ts';
import type { RouteState, RuleState } from './state.ts';

/** The questions that `listen` asks as well, so that its recordings hold the answers. */
export const ROUTE_COMMAND: readonly string[] = ['ip', '-j', 'route', 'show', 'table', 'all'];
export const RULE_COMMANDS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['ip', 'rule', 'show'],
  6: ['ip', '-6', 'rule', 'show'],
};

/** More than this is not copied: a full table of the Internet has a million, which no twin needs. */
const MAX_ROUTES = 200_000;
const MAX_RULES = 10_000;

/** Origins that every iproute2 knows by name (lib/rt_names.c); others may be numbers of this host alone. */
const PROTOCOLS: ReadonlySet<string> = new Set(
  'redirect kernel boot static gated ra mrt zebra bird dnrouted xorp ntk dhcp keepalived babel bgp isis ospf rip eigrp'.split(
    ' ',
  ),
);
const METRICS = ['mtu', 'advmss', 'window', 'initcwnd', 'initrwnd', 'hoplimit', 'quickack', 'reordering'];
const REJECTING: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

/**
 * Routes from what {@link ROUTE_COMMAND} printed.
 * @param tables numbers of tables that have names on the host.
 * @returns undefined when it cannot be read.
 */
export function routesOf(json: string, tables: ReadonlyMap<string, string>): readonly RouteState[] | undefined {
  const entries = parseIpJson(json);
  if (entries === undefined) return undefined;
  return entries.slice(0, MAX_ROUTES).flatMap((entry) => {
    const route = parseRoute(entry);
    if (route === undefined) return [];
    return [{ ...route, line: lineOf(entry, tables), isExpired: (number(entry, 'expires') ?? 0) < 0 }];
  });
}

/** Whether a route is one that the words of its {@link RouteState.line} do not make again. */
export function isBeyondWords(json: string): boolean {
  return /"encap":/.test(json);
}

/** The words of `ip route add`. */
function lineOf(entry: IpRecord, tables: ReadonlyMap<string, string>): string {
  const type = text(entry, 'type') ?? 'unicast';
  const nexthop = number(entry, 'nhid');
  const table = text(entry, 'table');
  const protocol = text(entry, 'protocol');
  const from = text(entry, 'from');
  const preference = text(entry, 'pref');
  const words: (string | number)[] = [];
  if (type !== 'unicast') words.push(type);
  words.push(text(entry, 'destination') ?? text(entry, 'dst') ?? 'default');
  if (from !== undefined) words.push('from', from);
  if ('tos' in entry) words.push('tos', String(entry.tos));
  if (nexthop !== undefined) words.push('nhid', nexthop);
  else words.push(...hopWords(entry, REJECTING.has(type)));
  if (table !== undefined && table !== 'main') words.push('table', tables.get(table) ?? table);
  if (protocol !== undefined && (PROTOCOLS.has(protocol) || /^\d+$/.test(protocol))) words.push('proto', protocol);
  const scope = text(entry, 'scope');
  if (scope !== undefined) words.push('scope', scope);
  const source = text(entry, 'prefsrc');
  if (source !== undefined) words.push('src', source);
  const metric = number(entry, 'metric');
  if (metric !== undefined) words.push('metric', metric);
  for (const metrics of records(entry, 'metrics')) {
    for (const name of METRICS) {
      const value = number(metrics, name);
      if (value !== undefined) words.push(name, value);
    }
  }
  if (preference === 'low' || preference === 'high') words.push('pref', preference);
  if (nexthop === undefined) {
    for (const hop of records(entry, 'nexthops')) {
      words.push('nexthop', ...hopWords(hop, false), 'weight', number(hop, 'weight') ?? 1);
    }
  }
  return words.join(' ');
}

function hopWords(entry: IpRecord, isRejecting: boolean): string[] {
  const via = record(entry, 'via');
  const gateway = text(entry, 'gateway');
  const device = text(entry, 'dev');
  const words: string[] = [];
  if (gateway !== undefined) words.push('via', gateway);
  else if (via !== undefined) words.push('via', text(via, 'family') ?? 'inet6', text(via, 'host') ?? '');
  // The kernel puts rejecting routes of IPv6 on the loopback interface.
  if (device !== undefined && !(isRejecting && device === 'lo')) words.push('dev', device);
  if (texts(entry, 'flags').includes('onlink')) words.push('onlink');
  return words;
}

/** Rules from what {@link RULE_COMMANDS} printed. */
export function rulesOf(output: string, family: 4 | 6, tables: ReadonlyMap<string, string>): readonly RuleState[] {
  const rules: RuleState[] = [];
  for (const printed of output.split('\n')) {
    const [, priority, body = ''] = /^(\d{1,10}):\s+(.+?)\s*$/.exec(printed) ?? [];
    if (priority === undefined || rules.length >= MAX_RULES) continue;
    const line = body
      .replace(/\blookup \[l3mdev-table\]/, 'l3mdev')
      .replace(/ ?\[(detached|unresolved)\]/g, '')
      .replace(/\blookup (\S+)/, (_, table: string) => `lookup ${tables.get(table) ?? table}`)
      .replace(/\bproto (\S+)$/, 'protocol $1')
      .replace(/\s+/g, ' ');
    rules.push({ family, priority: Number(priority), line });
  }
  return rules;
}

/** The destination written out, so that its family is in it. */
export function spelledOut({ line, family }: RouteState): string {
  return line.replace(/^((?:[a-z]+ )?)default\b/, (_, type: string) => `${type}${family === 4 ? '0.0.0.0/0' : '::/0'}`);
}
