import { sightingsOf } from '../../collect/watch/sightings.ts';
import { judgeRouter, type RouterCase, type RouterFinding } from '../../engine/join-router.ts';
import type { PathLocation } from '../../model/path.ts';
import type { TracedAttempt } from './trace-stories.ts';
import type { WatchedPoint } from './watched-point.ts';

/** Which packet a router is asked about, by where the attempt died. */
function packetFor(location: PathLocation): RouterCase['packet'] | undefined {
  switch (location) {
    case 'lost-before-server':
    case 'icmp-from-router':
    case 'refused-by-middlebox':
    case 'late':
      return 'syn';
    case 'answer-lost':
      return 'syn-ack';
    case 'final-ack-lost':
      return 'ack';
    default:
      return undefined;
  }
}

/** Asks the hosts between the two ends what they did with the packet that did not arrive. */
export async function askRouters(
  vias: readonly WatchedPoint[],
  attempt: TracedAttempt,
): Promise<readonly RouterFinding[]> {
  const packet = attempt.path === undefined ? 'syn' : packetFor(attempt.path.verdict.location);
  if (packet === undefined) return [];
  const cases = await Promise.all(vias.map((via) => via.attempt(() => routerCase(via, attempt, packet))));
  return cases.flatMap((one) => {
    const finding = one === undefined ? undefined : judgeRouter(one);
    return finding === undefined ? [] : [finding];
  });
}

async function routerCase(
  via: WatchedPoint,
  { story }: TracedAttempt,
  packet: RouterCase['packet'],
): Promise<RouterCase | undefined> {
  const { watch, plan } = via;
  const sighting = story.points.find(({ name }) => name === plan.name)?.sighting;
  if (sighting === undefined) return undefined;
  const passed = [sighting.handshake, ...sighting.others].flatMap((one) =>
    sightingsOf(watch.live.history, one, watch.names).filter(
      ({ segment, device }) => segment === packet && device !== 'lo',
    ),
  );
  const devices = (way: 'in' | 'out'): string[] => [
    ...new Set(passed.flatMap(({ direction, device }) => (direction === way ? [device ?? 'an interface'] : []))),
  ];
  const [cameIn, wentOn] = [devices('in'), devices('out')];
  if (cameIn.length === 0 || wentOn.length > 0) return undefined;
  const bare = watch.attemptOf(sighting.handshake, undefined, packet === 'syn-ack' ? 'client' : 'server');
  const inDevice = cameIn[0];
  const asked = inDevice === undefined ? bare : { ...bare, inDevice };
  return { name: plan.name, packet, attempt: asked, facts: await watch.facts(asked), cameIn, wentOn };
}
