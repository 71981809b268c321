import type { Host } from '../host/host.ts';
import { IpBatch } from './ip-batch.ts';
import type { Notes } from './notes.ts';
import { ROUTE_COMMAND, RULE_COMMANDS, routesOf, rulesOf, spelledOut } from './read-routes.ts';
import type { HostState, RouteState, RuleState } from './state.ts';

const NO_NAMES: ReadonlyMap<string, string> = new Map();
/** Most routes are there after the first round; those that need another one, or that a removal took along, after the second. */
const ROUNDS = 3;

/** The routes that a twin has to have. */
export function wantedRoutes({ routes }: HostState): readonly RouteState[] {
  return routes.filter(({ isExpired, type }) => !isExpired && type !== 'anycast');
}

/** Next hop objects, to which routes refer. */
function nexthopCommands({ nexthops }: HostState, batch: IpBatch, notes: Notes): void {
  // A group names others.
  for (const line of [...nexthops].sort((a, b) => Number(a.includes(' group ')) - Number(b.includes(' group ')))) {
    const words = line.replace(/ (scope \S+|dead|linkdown|offload|trap)\b/g, '').replace(/\bproto (\S+)/, 'proto $1');
    if (!batch.add(`nexthop add ${words}`, `next hop ${line}`)) notes.missing(`next hop ${line}`);
  }
}

/** Makes the routes of the twin those of the host: what is too much goes, what is missing comes. */
export async function reconcileRoutes(state: HostState, host: Host, notes: Notes): Promise<void> {
  const wanted = new Map(wantedRoutes(state).map((route) => [keyOf(route), route]));
  let failures: readonly { readonly name: string; readonly said: string }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const own = await ownRoutes(host);
    const has = new Set(own.map(keyOf));
    const extra = own.filter(
      (route) => !wanted.has(keyOf(route)) && route.type !== 'anycast' && route.type !== 'multicast',
    );
    const missing = [...wanted].filter(([key]) => !has.has(key)).map(([, route]) => route);
    if (missing.length === 0 && extra.length === 0) return;
    const batch = new IpBatch();
    if (round < ROUNDS - 1) for (const route of extra) batch.add(`route del ${spelledOut(route)}`);
    const append = (route: RouteState): void => {
      if (!batch.add(`route append ${spelledOut(route)}`, route.line) && round === 0)
        notes.missing(`route ${route.line}`);
    };
    // Gateways can be reached only when the routes to their links are there.
    missing.filter((route) => !hasGateway(route)).forEach(append);
    if (round === 0) nexthopCommands(state, batch, notes);
    missing.filter(hasGateway).forEach(append);
    const failed = await batch.run(host);
    for (const { name, said } of failed) if (name.startsWith('next hop ')) notes.missing(`${name}: ${said}`);
    failures = failed.filter(({ name, said }) => !/^(route del|next hop) /.test(name) && !/File exists/.test(said));
    // What is taken away may take something along; what comes does not.
    if (failures.length === 0 && extra.length === 0) return;
    // Without a change the next round would be the same.
    if (failures.length === missing.length && extra.length === 0) break;
  }
  for (const { name, said } of failures.slice(0, 20)) notes.missing(`route ${name}: ${said}`);
  if (failures.length > 20) notes.missing(`${failures.length - 20} more routes`);
}

/** What a fresh namespace has. */
const FRESH_RULES: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['0: from all lookup local', '32766: from all lookup main', '32767: from all lookup default'],
  6: ['0: from all lookup local', '32766: from all lookup main'],
};

/** Makes the rules of the twin those of the host. */
export async function reconcileRules(state: HostState, host: Host, notes: Notes): Promise<void> {
  await Promise.all(
    ([4, 6] as const).map(async (family) => {
      const wanted = state.rules.filter((rule) => rule.family === family);
      // A host without IPv6 lists none; a twin without its rules would drop everything.
      if (wanted.length === 0) return;
      const lines = wanted.map(({ priority, line }) => `${priority}: ${line}`);
      if (lines.join('\n') === FRESH_RULES[family].join('\n')) return;
      const own = await ownRules(host, family);
      const batch = new IpBatch();
      const wantedKeys = new Set(wanted.map(ruleKey));
      const ownKeys = new Set(own.map(ruleKey));
      // New ones first: without any rule the kernel finds no route to compare with.
      for (const rule of wanted) {
        if (!ownKeys.has(ruleKey(rule)) && !batch.add(`rule add pref ${rule.priority} ${rule.line}`)) {
          notes.missing(`rule ${ruleKey(rule)}`);
        }
      }
      for (const rule of own)
        if (!wantedKeys.has(ruleKey(rule))) batch.add(`rule del pref ${rule.priority} ${rule.line}`);
      for (const { name, said } of await batch.run(host, [family === 4 ? '-4' : '-6']))
        notes.missing(`${name}: ${said}`);
    }),
  );
}

/** What a route is, whatever the state of its links. */
export function keyOf({ family, line }: RouteState): string {
  return `${family} ${line}`;
}

/** What a rule is. */
export function ruleKey({ family, priority, line }: RuleState): string {
  return `IPv${family} ${priority}: ${line}`;
}

async function ownRoutes(host: Host): Promise<readonly RouteState[]> {
  const { stdout } = await host.run(ROUTE_COMMAND, { timeoutMs: 60_000 });
  return routesOf(stdout, NO_NAMES) ?? [];
}

async function ownRules(host: Host, family: 4 | 6): Promise<readonly RuleState[]> {
  const { stdout } = await host.run(RULE_COMMANDS[family]);
  return rulesOf(stdout, family, NO_NAMES);
}

function hasGateway({ nextHops, line }: RouteState): boolean {
  return / nhid /.test(` ${line} `) || nextHops.some(({ gateway }) => gateway !== undefined);
}
