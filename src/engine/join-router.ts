import type { CauseVerdict, Evidence, RemedyOffer } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { isUnavailable } from '../model/facts/fact.ts';
import type { FactMap, FactName } from '../model/facts/facts.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { formatQuantity } from '../model/text.ts';
import type { FactSet } from './judge-causes.ts';

/** A host between the two ends that was asked about a packet which came to it. */
export interface RouterCase {
  readonly name: string;
  /** Which packet: the SYN, or the client's ACK, on the way to the server; the answer on the way back. */
  readonly packet: 'syn' | 'syn-ack' | 'ack';
  /** As that host saw it: `side` is `server` for a packet to the server, `client` for one to the client. */
  readonly attempt: Attempt;
  readonly facts: FactSet;
  /** Interfaces through which it came in, and through which it went on. */
  readonly cameIn: readonly string[];
  readonly wentOn: readonly string[];
}

/** What a host between the two ends says of a packet that did not leave it. */
export interface RouterFinding {
  readonly name: string;
  readonly packet: RouterCase['packet'];
  readonly cause: CauseVerdict;
  readonly evidence: readonly Evidence[];
  readonly remedies: readonly RemedyOffer[];
}

const PACKETS = { syn: 'SYN', 'syn-ack': 'SYN-ACK', ack: 'ACK' } as const;

/** Why a packet that came to a router did not leave it; undefined when it did, or nothing there tells. */
export function judgeRouter(router: RouterCase): RouterFinding | undefined {
  if (router.cameIn.length === 0 || router.wentOn.length > 0 || isTranslated(router)) return undefined;
  const [early, late] = filterHits(router);
  const said =
    (early === undefined ? undefined : byFilter(router, early)) ??
    byForwarding(router) ??
    byRoute(router) ??
    (late === undefined ? undefined : byFilter(router, late)) ??
    byNeighbour(router);
  return said && { ...said, name: router.name, packet: router.packet };
}

type Said = Omit<RouterFinding, 'name' | 'packet'>;

function factOf<N extends FactName>({ facts }: RouterCase, name: N): FactMap[N] | undefined {
  const fact = facts[name];
  return fact === undefined || isUnavailable(fact) ? undefined : (fact.value as FactMap[N]);
}

/** Behind a changed port the packet is not seen: whether it went on cannot be told here. */
function isTranslated(router: RouterCase): boolean {
  const changes = ['dnat', 'redirect', 'tproxy'];
  return factOf(router, 'packetFilter')?.hits.some(({ verdict }) => changes.includes(verdict)) === true;
}

/** The rule that stops it before the route is looked up, and the one behind that. */
function filterHits(router: RouterCase): [FilterHit | undefined, FilterHit | undefined] {
  const wanted = router.packet === 'syn' ? 'syn-in' : router.packet === 'ack' ? 'ack-in' : 'syn-ack-in';
  const stopping = (factOf(router, 'packetFilter')?.hits ?? []).filter(
    ({ packet, verdict, certainty, packetsDelta }) =>
      packet === wanted &&
      /^(drop|reject-reset|reject-icmp)$/.test(verdict) &&
      (certainty === 'certain' ? packetsDelta !== 0 : (packetsDelta ?? 0) > 0),
  );
  const isEarly = ({ hook }: FilterHit): boolean => hook === 'ingress' || hook === 'prerouting';
  return [stopping.find(isEarly), stopping.find((hit) => !isEarly(hit))];
}

function byFilter(router: RouterCase, hit: FilterHit): Said {
  const { name, packet, attempt } = router;
  const rejects = hit.verdict !== 'drop';
  const stateful = hit.conditions.some((one) => one.startsWith('ct-'));
  const id = rejects
    ? 'path-firewall-reject'
    : packet === 'syn'
      ? 'path-firewall-drop-syn'
      : stateful
        ? 'asymmetric-stateful-firewall'
        : packet === 'ack'
          ? 'final-ack-lost'
          : 'return-path-lost';
  const where = `${hit.family} ${hit.table} ${hit.chain}`;
  const rule = hit.policy ? `the policy of chain ${where}` : `a rule of chain ${where}${handleOf(hit)}`;
  const counted = hit.packetsDelta !== undefined && hit.packetsDelta > 0;
  const statement = `${name}: ${rule} ${rejects ? 'rejects' : 'drops'} the ${PACKETS[packet]}: ${hit.text}`;
  return {
    cause: {
      id,
      status: hit.certainty === 'certain' ? 'confirmed' : 'likely',
      title: `The packet filter of ${name} ${rejects ? 'rejects' : 'drops'} it`,
      sentence: `${rule} on ${name} ${rejects ? 'rejects' : 'drops'} the ${PACKETS[packet]} ${fromTo(attempt, packet)}`,
    },
    evidence: [
      stays(router),
      supports(statement, 'conclusive', `${name} ${hit.tool}`),
      ...(counted
        ? [
            supports(
              `its counter grew by ${formatQuantity(hit.packetsDelta ?? 0, 'packet')} meanwhile`,
              'strong',
              `${name} ${hit.tool}`,
            ),
          ]
        : []),
    ],
    remedies: [advice('look-at-rule', `On ${name}: look at that rule, and let it pass ${fromTo(attempt, packet)}`)],
  };
}

function handleOf({ handle, tool }: FilterHit): string {
  if (handle === undefined) return '';
  return tool === 'nft' ? ` (handle ${handle})` : ` (number ${handle})`;
}

function byForwarding(router: RouterCase): Said | undefined {
  const { name, attempt, packet, cameIn } = router;
  const sysctls = factOf(router, 'sysctls');
  const route = factOf(router, 'incomingRoute');
  if (sysctls === undefined || (route?.ok === true && route.type === 'local')) return undefined;
  const device = cameIn[0] ?? '';
  const v4 = attempt.family === 4;
  const keys = v4 ? [`net.ipv4.conf.${device}.forwarding`] : ['net.ipv6.conf.all.forwarding'];
  const off = keys.find((key) => sysctls[key] === '0');
  if (off === undefined || (!v4 && sysctls[`net.ipv6.conf.${device}.force_forwarding`] === '1')) return undefined;
  return {
    cause: {
      id: 'router-forwarding-off',
      status: 'confirmed',
      title: `${name} does not forward`,
      sentence: `${name} does not forward ${v4 ? 'IPv4' : 'IPv6'} (${off} is 0), so it throws away the ${PACKETS[packet]} ${fromTo(attempt, packet)}`,
    },
    evidence: [stays(router), supports(`${off} is 0 on ${name}`, 'conclusive', `${name} /proc/sys`)],
    remedies: [
      {
        id: 'forward',
        title: `On ${name}: switch forwarding on, if it is meant to be a router`,
        risk: 'medium',
        changes: [{ kind: 'sysctl', key: v4 ? 'net.ipv4.ip_forward' : off, value: '1' }],
        commands: [`sysctl -w ${v4 ? 'net.ipv4.ip_forward' : off}=1`],
      },
    ],
  };
}

function byRoute(router: RouterCase): Said | undefined {
  const { name, attempt, packet } = router;
  const route = factOf(router, 'incomingRoute');
  if (route === undefined) return undefined;
  const back = packet === 'syn-ack';
  const to = back ? attempt.client.address : attempt.server.address;
  const asked = supports(
    `${name}: route lookup ${route.question} answers "${route.message ?? 'local'}"`,
    'conclusive',
    `${name} ip route get`,
  );
  if (route.ok) {
    if (route.type !== 'local' || factOf(router, 'packetFilter') === undefined) return undefined;
    return {
      cause: {
        id: 'not-my-address',
        status: 'likely',
        title: `${to} is an address of ${name} itself`,
        sentence: `${name} takes the ${PACKETS[packet]} for itself: ${to} is one of its own addresses`,
      },
      evidence: [
        stays(router),
        supports(`${name}: route lookup ${route.question} answers "local"`, 'strong', `${name} ip route get`),
      ],
      remedies: [],
    };
  }
  const said = failureOf(route, router, to, back);
  if (said === undefined) return undefined;
  return {
    cause: { id: said.id, status: 'confirmed', title: said.title, sentence: said.sentence },
    evidence: [stays(router), asked],
    remedies: [advice('repair-route', `On ${name}: ${route.command.join(' ')} shows it; give it a route to ${to}`)],
  };
}

function failureOf(
  { failure, matchedRoute, matchedRule }: RouteLookup,
  { name, attempt, cameIn }: RouterCase,
  to: string,
  back: boolean,
): { id: string; title: string; sentence: string } | undefined {
  switch (failure) {
    case 'no-route':
      return {
        id: back ? 'return-path-no-route' : 'router-no-route',
        title: `${name} has no route to ${to}`,
        sentence: `${name} has no route to ${to}`,
      };
    case 'unreachable':
    case 'prohibit':
    case 'blackhole':
    case 'throw': {
      const rule = matchedRule === undefined ? undefined : `rule "${matchedRule.text}"`;
      const by =
        matchedRoute === undefined
          ? (rule ?? `a ${failure} route or rule`)
          : `the ${matchedRoute.type} route ${matchedRoute.destination}`;
      return {
        id: back ? 'return-path-no-route' : 'router-reject-route',
        title: `A route of ${name} refuses ${to}`,
        sentence: `${by} on ${name} refuses ${to}`,
      };
    }
    case 'invalid-source': {
      const from = back ? attempt.server.address : attempt.client.address;
      return {
        id: 'rp-filter-strict',
        title: `The source check of ${name} refuses ${from}`,
        sentence: `the reverse path filter of ${name} refuses ${from} on ${cameIn[0] ?? 'that interface'}: its own way to ${from} leads elsewhere`,
      };
    }
    default:
      return undefined;
  }
}

function byNeighbour(router: RouterCase): Said | undefined {
  const { name, attempt, packet } = router;
  const route = factOf(router, 'incomingRoute');
  if (route?.ok !== true || route.type === 'local') return undefined;
  const next = route.gateway ?? (packet === 'syn-ack' ? attempt.client.address : attempt.server.address);
  const entry = factOf(router, 'neighbours')?.find(
    ({ address, device }) => address === next && (route.device === undefined || device === route.device),
  );
  const failed = entry?.states.some((state) => state === 'FAILED' || state === 'INCOMPLETE') === true;
  const asked = factOf(router, 'neighbourActivity')?.find(
    ({ target, direction }) => target === next && direction === 'out',
  );
  const unanswered = asked !== undefined && asked.requests > 0 && asked.replies === 0;
  if (!failed && !unanswered) return undefined;
  const how = attempt.family === 4 ? 'ARP' : 'neighbour discovery';
  const on = route.device === undefined ? 'its link' : route.device;
  return {
    cause: {
      id: 'router-neighbour-unresolved',
      status: failed || (asked?.requests ?? 0) > 1 ? 'confirmed' : 'likely',
      title: `${name} cannot find ${next} on ${on}`,
      sentence: `${name} finds no ${next} on ${on}: nobody there answers ${how}`,
    },
    evidence: [
      stays(router),
      ...(failed
        ? [
            supports(
              `${name}: the neighbour ${next} on ${on} is ${entry?.states.join(', ')}`,
              'conclusive',
              `${name} ip neigh`,
            ),
          ]
        : []),
      ...(unanswered
        ? [
            supports(
              `${name} asked ${formatQuantity(asked.requests, 'time')} for ${next} and got no answer`,
              'conclusive',
              `${name} capture`,
            ),
          ]
        : []),
    ],
    remedies: [
      advice('find-neighbour', `See whether ${next} is up and has that address; then the link between it and ${name}`),
    ],
  };
}

/** What every verdict on a router rests on: it came, and did not leave. */
function stays({ name, packet, cameIn }: RouterCase): Evidence {
  return supports(
    `the ${PACKETS[packet]} came to ${name} through ${cameIn.join(', ')} and did not leave it`,
    'strong',
    `${name} capture`,
  );
}

function fromTo({ client, server }: Attempt, packet: RouterCase['packet']): string {
  return packet === 'syn-ack'
    ? `from ${server.address} to ${client.address}`
    : `from ${client.address} to ${server.address} port ${server.port}`;
}

function supports(statement: string, weight: Evidence['weight'], source: string): Evidence {
  return { statement, bearing: 'supports', weight, source };
}

function advice(id: string, text: string): RemedyOffer {
  return { id, title: text, risk: 'medium', changes: [{ kind: 'advice', text }], commands: [] };
}
