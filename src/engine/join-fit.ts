import { type Cause, PATH_STEPS, type PathStep } from '../model/cause.ts';
import type { Side } from '../model/facts/attempt.ts';
import type { PathLocation } from '../model/path.ts';

/** Which causes the facts of one end may name, when the captures of both show where an attempt died. */
interface Fit {
  /** From and up to this step of the way. */
  readonly steps?: readonly [from: PathStep, to: PathStep];
  /** Besides. */
  readonly ids?: readonly string[];
  /** Not these, although of such a step. */
  readonly not?: readonly string[];
}

const ALL: Fit = { steps: ['resolve', 'after'] };
/** Causes for which the host of the server stays silent, or is not found, before its own capture could see the SYN. */
const UNSEEN_BY_SERVER: Fit = {
  steps: ['server-link', 'server-xdp'],
  ids: ['duplicate-address', 'ipv6-address-tentative', 'ipv6-dad-failed', 'ipv6-disabled-server', 'not-my-address'],
};

const SERVER: Readonly<Record<PathLocation, Fit>> = {
  'lost-before-server': UNSEEN_BY_SERVER,
  'icmp-from-router': UNSEEN_BY_SERVER,
  'server-silent': {
    steps: ['server-link', 'final-ack'],
    not: ['return-path-lost', 'return-path-no-route', 'asymmetric-stateful-firewall'],
  },
  // A packet that the capture saw go out can still be dropped below: by the device under a bond, a bridge, a tunnel.
  'answer-lost': {
    steps: ['server-reply-out', 'path-back'],
    ids: [
      'own-address-source-ipv6',
      'syn-to-request-sock',
      'syncookies-failed',
      'wrong-mac',
      'application-timeout-too-short',
      // Their answers are for another connection.
      'half-open-established',
      'timewait-old-sequence',
      'timewait-paws',
    ],
  },
  'final-ack-lost': { steps: ['final-ack', 'after'] },
  'refused-by-middlebox': { ids: ['rst-injected', 'option-mangling', 'own-address-source-ipv6'] },
  'refused-by-server': ALL,
  'icmp-from-server': ALL,
  'client-rejected-answer': {
    steps: ['client-socket', 'after'],
    not: [
      'return-path-lost',
      'return-path-no-route',
      'return-path-asymmetric',
      'asymmetric-stateful-firewall',
      'final-ack-lost',
    ],
  },
  late: ALL,
  established: ALL,
  unmatched: ALL,
};

const CLIENT: Readonly<Record<PathLocation, Fit>> = {
  'lost-before-server': { steps: ['resolve', 'path-out'], not: ['application-timeout-too-short'] },
  // The SYN came to the right host: nothing of the client can have stopped it.
  'server-silent': {
    ids: ['address-family-choice', 'dns-slow', 'application-timeout-too-short', 'synack-wrong-source'],
  },
  'answer-lost': {
    steps: ['path-back', 'client-tcp-in'],
    ids: ['address-family-choice', 'application-timeout-too-short', 'client-wrong-device'],
  },
  'final-ack-lost': { steps: ['final-ack', 'after'], ids: ['client-output-drop', 'client-input-drop'] },
  'refused-by-middlebox': { steps: ['resolve', 'path-out'], ids: ['connected-then-reset'] },
  'refused-by-server': {
    steps: ['final-ack', 'after'],
    ids: ['address-family-choice', 'dns-wrong-address', 'dns-slow'],
  },
  'icmp-from-router': { steps: ['resolve', 'path-out'] },
  'icmp-from-server': { steps: ['server-link', 'server-listener'], ids: ['address-family-choice'] },
  'client-rejected-answer': {
    steps: ['path-back', 'after'],
    ids: ['client-output-drop', 'client-cgroup-egress-drop', 'application-timeout-too-short', 'option-mangling'],
  },
  late: ALL,
  established: ALL,
  unmatched: ALL,
};

/** Whether a cause that one end names can be the cause of an attempt that died there. */
export function fitsLocation({ id, step }: Cause, side: Side, location: PathLocation): boolean {
  const { steps, ids = [], not = [] } = (side === 'server' ? SERVER : CLIENT)[location];
  if (ids.includes(id)) return true;
  if (steps === undefined || not.includes(id)) return false;
  const at = PATH_STEPS.indexOf(step);
  return at >= PATH_STEPS.indexOf(steps[0]) && at <= PATH_STEPS.indexOf(steps[1]);
}

/** Whose word counts first for an attempt that died there. */
export function speakersFor(location: PathLocation | undefined): readonly (Side | 'router')[] {
  switch (location) {
    case 'lost-before-server':
    case 'icmp-from-router':
    case 'refused-by-middlebox':
      return ['server', 'router', 'client'];
    case 'answer-lost':
    case 'final-ack-lost':
      return ['router', 'server', 'client'];
    case 'client-rejected-answer':
    case 'unmatched':
    case undefined:
      return ['client', 'server', 'router'];
    default:
      return ['server', 'client', 'router'];
  }
}

/** Causes that say no more than where the attempt died: what both captures show makes them certain. */
const SAID_BY_LOCATION: Readonly<Partial<Record<PathLocation, readonly string[]>>> = {
  'answer-lost': ['return-path-lost'],
  'final-ack-lost': ['final-ack-lost', 'syncookie-ack-lost'],
  'refused-by-middlebox': ['rst-injected'],
};

/** An answer that the client saw under another address: the captures take it for another connection, and the server for silent. */
const SAW_AN_ANSWER: ReadonlySet<string> = new Set(['synack-wrong-source']);

/** Whether a cause, when it is certain, comes before whatever explains the silence. */
export function overrulesSilence(id: string): boolean {
  return SAW_AN_ANSWER.has(id);
}

/** Whether a cause says just what the captures of both ends show. */
export function isSaidByLocation(id: string, location: PathLocation): boolean {
  return SAID_BY_LOCATION[location]?.includes(id) === true;
}

/** A server that has the client's address resets its own answers, in the name of the client: it looks like somebody in between. */
const RESETS_ITSELF: ReadonlySet<string> = new Set(['own-address-source-ipv6']);

/** Where an attempt really died, when a cause that is certain says more of it than the captures. */
export function correctedLocation(id: string, location: PathLocation): PathLocation {
  return location === 'refused-by-middlebox' && RESETS_ITSELF.has(id) ? 'answer-lost' : location;
}
