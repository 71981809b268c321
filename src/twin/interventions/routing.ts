import { covers } from '../../formats/iproute/prefix.ts';
import type { NetlinkMessage } from '../../formats/netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../../formats/netlink/message.ts';
import { AF_INET, AF_INET6, dumpBody, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from '../../formats/netlink/rtnetlink.ts';
import { decodeRule } from '../../formats/netlink/rule.ts';
import type { RouteState, RuleState } from '../state.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';
import type { BookedRoute } from './route-book.ts';

/** Tables that have a name of their own. */
const TABLES: Readonly<Record<string, number>> = { local: 255, main: 254, default: 253 };
const TYPES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
];
/** Routes that reject on purpose come before those that lead somewhere. */
const REJECTING: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);
/** The rules that every host has: local, main, default. */
const OWN_RULES: ReadonlySet<number> = new Set([0, 32_766, 32_767]);

/** Routes that concern the two addresses, and rules. */
export function routingInterventions(bench: Bench): Intervention[] {
  return [...routes(bench), ...rules(bench)];
}

function routes({ twin: { state, role }, original, complete, routes: book }: Bench): Intervention[] {
  const booked = new Map<string, BookedRoute>();
  for (const one of book.routes) booked.set(bookedKey(one, state.links), one);
  const both = role === 'client' ? [original.destination] : [original.source, original.destination];
  return state.routes
    .filter((route) => route.family === original.family && concerns(route, both, original.destination))
    .flatMap((route): Intervention[] => {
      const line = `${route.family === 6 ? '-6 ' : ''}${route.line}`;
      if (route.isExpired) return [validAgain(route, line)];
      const there = booked.get(stateKey(route));
      if (there === undefined) return [];
      return [
        {
          element: { kind: 'route', element: line, change: 'removed' },
          rank: 'existing',
          breadth: REJECTING.has(route.type) ? 0 : route.destination === 'default' ? 4 : 2,
          // Its sender is on the link: to reach it past the link is a way around whatever is wrong with it.
          ...(route.protocol === 'kernel' && !complete.isRouted ? { isDetour: true as const } : {}),
          apply: ({ routes }) => void routes.set(there, false),
          revert: ({ routes }) => void routes.set(there, true),
        },
      ];
    });
}

function concerns(route: RouteState, addresses: readonly string[], own: string): boolean {
  // Without its own address a host answers nothing.
  if (route.type === 'local' && route.destination === own) return false;
  if (route.type === 'multicast' || route.type === 'broadcast') return addresses.includes(route.destination);
  return route.destination === 'default' || addresses.some((address) => covers(route.destination, address));
}

function validAgain(route: RouteState, line: string): Intervention {
  const ip = route.family === 6 ? ['ip', '-6', 'route'] : ['ip', 'route'];
  const words = route.line.split(' ');
  return {
    element: { kind: 'route', element: line, change: 'valid again' },
    rank: 'state',
    breadth: 1,
    apply: ({ twin }) => void twin.runSync([...ip, 'append', ...words]),
    revert: ({ twin }) => void twin.runSync([...ip, 'del', ...words]),
  };
}

/** What is the same in a route as `ip` prints it and as the kernel lists it in the twin. */
function stateKey(route: RouteState): string {
  const hops = route.nextHops.map(({ gateway = '', device = '' }) => `${gateway}@${device}`).join(',');
  const isNowhere = REJECTING.has(route.type);
  const destination =
    route.destination === 'default' || route.destination.includes('/')
      ? route.destination
      : `${route.destination}/${route.family === 4 ? 32 : 128}`;
  return [
    route.family,
    TABLES[route.table] ?? route.table,
    route.type,
    destination,
    route.metric ?? 0,
    route.tos ?? 0,
    isNowhere ? '' : hops,
  ].join(' ');
}

function bookedKey({ route }: BookedRoute, links: Bench['twin']['state']['links']): string {
  const name = (index: number | undefined): string => links.find((link) => link.index === index)?.name ?? '';
  const hops = route.nexthops.map(({ gateway = '', linkIndex }) => `${gateway}@${name(linkIndex)}`).join(',');
  const type = TYPES[route.type] ?? '';
  return [
    route.family === AF_INET ? 4 : 6,
    route.table,
    type,
    route.destination === undefined ? 'default' : `${route.destination}/${route.destinationLength}`,
    route.metric ?? 0,
    route.tos,
    REJECTING.has(type) ? '' : hops,
  ].join(' ');
}

function rules({ twin: { state }, original, routing }: Bench): Intervention[] {
  const family = original.family === 4 ? AF_INET : AF_INET6;
  const messages = routing.dump(RTM_GETRULE, dumpBody(12, family));
  const wanted = state.rules.filter((rule) => rule.family === original.family);
  return wanted.flatMap((rule, index): Intervention[] => {
    if (OWN_RULES.has(rule.priority)) return [];
    const message = matching(messages, rule, wanted.slice(0, index));
    if (message === undefined) return [];
    return [
      {
        element: { kind: 'rule', element: `${rule.priority}: ${rule.line}`, change: 'removed' },
        rank: 'existing',
        breadth: 1,
        apply: ({ routing: socket }) => void socket.request({ type: RTM_DELRULE, flags: 0, body: message.body }),
        revert: ({ routing: socket }) =>
          void socket.request({ type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, body: message.body }),
      },
    ];
  });
}

/** Rules of one priority are listed in the order in which they were made. */
function matching(
  messages: readonly NetlinkMessage[],
  { priority }: RuleState,
  before: readonly RuleState[],
): NetlinkMessage | undefined {
  const nth = before.filter((rule) => rule.priority === priority).length;
  return messages.filter((message) => decodeRule(message)?.priority === priority)[nth];
}
