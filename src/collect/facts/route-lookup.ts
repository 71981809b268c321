import type { RouteDecision } from '../../formats/iproute/route-flow.ts';
import { type LookupErrno, messageOf } from '../../formats/iproute/route-get.ts';
import { isLocalAddress } from '../../formats/iproute/source-check.ts';
import type { Fact } from '../../model/facts/fact.ts';
import type { RouteFailure, RouteLookup } from '../../model/facts/routing.ts';
import type { Asked } from './ask-route.ts';
import { type AttemptScope, known } from './collector.ts';

/** Makes the fact of an answer of the kernel, and of what the recorded rules and tables say to the same question. */
export function lookupOf(
  { command, answer, question }: Asked & { readonly question: string },
  decision: RouteDecision | undefined,
  ends: { readonly family: 4 | 6; readonly source: string | undefined },
  scope: AttemptScope,
): Fact<RouteLookup> {
  const asked = { command, question };
  if (answer === undefined) return computed(asked, decision, ends, scope);
  const source = `ip ${ends.family === 6 ? '-6 ' : ''}route get`;
  if (answer.kind === 'not-asked') {
    return { unavailable: 'not-supported', reason: `"${command.join(' ')}" was not understood: ${answer.message}` };
  }
  if (answer.kind === 'error') {
    const agreeing = decision?.certain === true && decision.errno === answer.errno ? decision : undefined;
    const failure = failureOf(answer.errno, decision, ends, scope);
    return {
      value: { ...asked, ok: false, failure, message: answer.message, ...decidersOf(agreeing, failure) },
      source,
    };
  }
  const { kind: _, metric: __, table, ...way } = answer;
  const agrees =
    decision?.errno === undefined &&
    (answer.type !== 'unicast' || decision?.nextHops.some(({ device }) => device === answer.device) === true);
  const agreeing = agrees ? decision : undefined;
  const where = table ?? agreeing?.route?.table;
  return {
    value: { ...asked, ok: true, ...way, ...(where === undefined ? {} : { table: where }), ...decidersOf(agreeing) },
    source,
  };
}

/** The answer of recorded tables alone. */
function computed(
  asked: { readonly command: readonly string[]; readonly question: string },
  decision: RouteDecision | undefined,
  ends: { readonly family: 4 | 6; readonly source: string | undefined },
  scope: AttemptScope,
): Fact<RouteLookup> {
  if (decision?.certain !== true) {
    const reason =
      decision === undefined
        ? 'the route lookup was not recorded, and neither were rules and tables that could answer it'
        : 'the route lookup was not recorded, and it hangs on something that rules and tables do not show';
    return { unavailable: 'not-recorded', reason, hint: 'record again with --from and the address of the client' };
  }
  const source = 'recorded rules and routes';
  const { errno, nextHops, route, assumedOnLink } = decision;
  const refused = errno ?? sourceRefusal(decision, ends, scope);
  if (refused !== undefined) {
    const failure = failureOf(refused, decision, ends, scope);
    const deciders = errno === undefined ? {} : decidersOf(decision, failure);
    return {
      value: { ...asked, ok: false, failure, message: messageOf(refused), ...deciders, computed: true },
      source,
    };
  }
  const [way] = nextHops;
  const device = route?.type === 'local' ? 'lo' : way?.device;
  return {
    value: {
      ...asked,
      ok: true,
      type: assumedOnLink ? 'unicast' : (route?.type ?? 'unicast'),
      ...(device === undefined ? {} : { device }),
      ...(way?.gateway === undefined ? {} : { gateway: way.gateway }),
      ...(route?.preferredSource === undefined ? {} : { source: route.preferredSource }),
      ...(route === undefined ? {} : { table: route.table }),
      ...decidersOf(decision),
      computed: true,
    },
    source,
  };
}

/** Why the kernel cannot route, where an error stands for several reasons. */
function failureOf(
  errno: LookupErrno | undefined,
  decision: RouteDecision | undefined,
  { family, source }: { readonly family: 4 | 6; readonly source: string | undefined },
  scope: AttemptScope,
): RouteFailure {
  const agrees = decision?.certain === true && decision.errno === errno;
  switch (errno) {
    case 'ENETUNREACH':
      // "Network is unreachable" is also what IPv4 says of a source that is not an address of this host.
      if (family === 4 && isForeign(source, scope)) return 'invalid-source';
      // ... and what a rule says that is "unreachable".
      if (agrees && decision.rule?.action === 'unreachable') return 'unreachable';
      return agrees && decision.thrownBy !== undefined ? 'throw' : 'no-route';
    case 'EHOSTUNREACH':
      return 'unreachable';
    case 'EACCES':
      return 'prohibit';
    case 'EINVAL':
      // What IPv4 says of a source that cannot leave (127.0.0.1), and before 5.x of one that is not an address of this host.
      if (!agrees && family === 4 && source !== undefined) {
        if (decision?.certain === true || isForeign(source, scope) || isLoopback(source)) return 'invalid-source';
      }
      return agrees || decision?.certain !== true ? 'blackhole' : 'other';
    case 'EAGAIN':
      return 'throw';
    case 'EXDEV':
      return 'invalid-source';
    default:
      return 'other';
  }
}

/** How IPv4 refuses a source before it looks at routes, or after (`ip_route_output_key_hash_rcu()`, `__mkroute_output()`). */
function sourceRefusal(
  { route, nextHops }: RouteDecision,
  { family, source }: { readonly family: 4 | 6; readonly source: string | undefined },
  scope: AttemptScope,
): LookupErrno | undefined {
  if (family === 6 || source === undefined) return undefined;
  if (isForeign(source, scope)) return 'ENETUNREACH';
  const staysHere = route?.type === 'local' || nextHops[0]?.device === 'lo';
  return isLoopback(source) && !staysHere ? 'EINVAL' : undefined;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.');
}

/** Whether an address is surely none of this host's. */
function isForeign(source: string | undefined, scope: AttemptScope): boolean {
  const addresses = known(scope, 'addresses');
  const routes = known(scope, 'routes');
  if (source === undefined || addresses === undefined || routes === undefined) return false;
  return !isLocalAddress(source, addresses, routes);
}

/** The route and the rule that decided. */
function decidersOf(
  decision: RouteDecision | undefined,
  failure?: RouteFailure,
): Pick<RouteLookup, 'matchedRoute' | 'matchedRule'> {
  if (failure === 'invalid-source') return {};
  const route = decision?.route ?? decision?.thrownBy;
  const rule = decision?.rule ?? decision?.suppressedBy;
  return {
    ...(route === undefined ? {} : { matchedRoute: route }),
    ...(rule === undefined ? {} : { matchedRule: rule }),
  };
}
