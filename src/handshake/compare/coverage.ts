import { ROW, ROW_CLIENT, ROW_SERVER } from '../attempt-layout.ts';
import { type Comparison, referenceNs } from './comparison.ts';
import { hashAddress } from './hash-chains.ts';
import { isInSketch } from './hash-sketch.ts';
import { BASIS_ISN } from './match-basis.ts';

/** How far "not in this capture" may be trusted as "was not there". */
export type Trust = 'certain' | 'likely' | 'guess' | 'none';

/** Why a capture that does not show something proves nothing by that. */
export type BlindReason = 'outside-window' | 'server-unknown' | 'nothing-shared' | 'never-answers';

/** Whether a capture would have shown packets that it does not show. */
export interface Absence {
  readonly trust: Trust;
  /** What limits the trust. */
  readonly reason?: BlindReason | 'clock' | 'other-clients' | 'capture-loss' | 'rewritten' | 'unshared' | 'complete';
  /** How many of the expected packets fall into the time that the capture covers. */
  readonly covered: number;
}

/** How long a packet takes from one point to another at most, for a verdict about its absence. */
export const ON_ITS_WAY_NS = 150e6;

const ORDER: readonly Trust[] = ['none', 'guess', 'likely', 'certain'];

/** The lesser of two degrees of trust. */
export function leastTrust(a: Trust, b: Trust): Trust {
  return ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b;
}

/** Time that a capture covers, on the clock of the first capture. */
export function windowOf(comparison: Comparison, capture: number): { firstNs: number; lastNs: number } {
  const { capture: tracked } = comparison.columns[capture]!;
  return {
    firstNs: referenceNs(comparison, capture, Number(tracked.firstNs - tracked.baseNs)),
    lastNs: referenceNs(comparison, capture, Number(tracked.lastNs - tracked.baseNs)),
  };
}

/** Half-width of what a time of this capture could be on the clock of the first. */
export function uncertaintyNs({ clocks }: Comparison, capture: number): number {
  let total = 0;
  for (let at = capture; at !== 0; at = clocks[at]!.parent) total += clocks[at]!.model.uncertaintyNs;
  return total;
}

/** How long a packet usually takes, at most, between this capture and others. */
export function usualDelayNs({ clocks }: Comparison, capture: number): number {
  let total = 0;
  for (let at = capture; at !== 0; at = clocks[at]!.parent) total += clocks[at]!.model.usualRoundTripNs;
  return total;
}

/** The clocks between a capture and the first: the weakest link. */
export function clockBasis({ clocks }: Comparison, capture: number): 'both-ways' | 'one-way' | 'none' {
  let basis: 'both-ways' | 'one-way' | 'none' = 'both-ways';
  for (let at = capture; at !== 0; at = clocks[at]!.parent) {
    const link = clocks[at]!.model.basis;
    if (link === 'none' || (link === 'one-way' && basis === 'both-ways')) basis = link;
  }
  return basis;
}

/** Whether a capture covers the moment at which a packet that was seen elsewhere at `ns` passed it. */
export function covers(comparison: Comparison, capture: number, ns: number, from: number): boolean {
  // Captures that are known to run at the same time end together: what was on its way then may not have arrived.
  if (comparison.columns[capture]!.capture.complete !== undefined)
    return ns + ON_ITS_WAY_NS <= windowOf(comparison, from).lastNs;
  const { firstNs, lastNs } = windowOf(comparison, capture);
  const unsure = uncertaintyNs(comparison, capture) + uncertaintyNs(comparison, from);
  const early = Math.min(unsure, 1e9);
  const delay = usualDelayNs(comparison, capture) + usualDelayNs(comparison, from);
  return ns - early >= firstNs && ns + early + delay <= lastNs;
}

/**
 * Judges whether a capture would have shown packets of one attempt that another capture saw.
 * @param anchor - a capture that has the attempt, and where its packets were seen.
 * @param expectedNs - when they were seen there, on the clock of the first capture.
 */
export function absenceAt(
  comparison: Comparison,
  capture: number,
  anchor: number,
  story: number,
  expectedNs: readonly number[],
): Absence {
  const traits = comparison.traits[capture]!;
  const { complete } = comparison.columns[capture]!.capture;
  if (complete !== undefined) {
    const missing = comparison.rowOf[capture]![story]! < 0;
    const covered = expectedNs.filter((ns) => covers(comparison, capture, ns, anchor)).length;
    if (covered === 0) return { trust: 'none', reason: 'outside-window', covered };
    if (missing && isnRewritten(comparison, capture)) return { trust: 'guess', reason: 'rewritten', covered };
    return { trust: complete, reason: 'complete', covered };
  }
  const { rows } = comparison.columns[anchor]!;
  const base = comparison.rowOf[anchor]![story]! * ROW;
  const covered = expectedNs.filter((ns) => covers(comparison, capture, ns, anchor)).length;
  const server = traits.servers.get(hashAddress(rows, base + ROW_SERVER));
  if (server === undefined) {
    const reason = traits.sharedClients.size === 0 ? 'nothing-shared' : 'server-unknown';
    return { trust: 'none', reason, covered };
  }
  if (covered === 0) return { trust: 'none', reason: 'outside-window', covered };
  const present = comparison.rowOf[capture]![story]! >= 0;
  const limits: [boolean, Trust, NonNullable<Absence['reason']>][] = [
    [clockBasis(comparison, capture) === 'none' || clockBasis(comparison, anchor) === 'none', 'guess', 'clock'],
    [!present && isnRewritten(comparison, capture), 'guess', 'rewritten'],
    [server.shared === 0, 'likely', 'unshared'],
    [clockBasis(comparison, capture) === 'one-way' || clockBasis(comparison, anchor) === 'one-way', 'likely', 'clock'],
    [
      !present && !server.manyClients && !isInSketch(traits.sharedClients, hashAddress(rows, base + ROW_CLIENT)),
      'likely',
      'other-clients',
    ],
    [traits.lossRate ** covered > 1e-3, 'likely', 'capture-loss'],
  ];
  for (const [applies, trust, reason] of limits) if (applies) return { trust, reason, covered };
  return { trust: 'certain', covered };
}

const rewritten = new WeakMap<Comparison, Map<number, boolean>>();

/** Whether attempts mostly arrive at a capture with another ISN: then a missing partner may be one that was not recognised. */
function isnRewritten(comparison: Comparison, capture: number): boolean {
  let known = rewritten.get(comparison);
  if (known === undefined) {
    known = new Map();
    rewritten.set(comparison, known);
  }
  let answer = known.get(capture);
  if (answer === undefined) {
    let [byIsn, otherwise] = [0, 0];
    comparison.basisOf.forEach((basis, k) => {
      for (let story = 0; story < comparison.stories; story++) {
        const code = basis[story]!;
        if (code === 0 || (k !== capture && comparison.rowOf[capture]![story]! < 0)) continue;
        if (code === BASIS_ISN) byIsn++;
        else otherwise++;
      }
    });
    answer = otherwise > byIsn;
    known.set(capture, answer);
  }
  return answer;
}
