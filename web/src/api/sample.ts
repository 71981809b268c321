import type { Diagnosis } from '../../../src/model/diagnosis.ts';
import type { Handshake, Segment } from '../../../src/model/handshake.ts';

type Loose = Readonly<Record<string, unknown>>;

/**
 * Reads a sample of an incident back into a diagnosis, as far as reports use it. Histories outlive versions: what an older
 * one did not write is filled in as empty.
 * @returns undefined when it holds no handshake
 */
export function toDiagnosis(sample: unknown): Diagnosis | undefined {
  if (!isLoose(sample) || !isLoose(sample.handshake)) return undefined;
  const handshake = toHandshake(sample.handshake);
  if (handshake === undefined) return undefined;
  return {
    cause: null,
    sentence: '',
    ...sample,
    handshake,
    evidence: list(sample.evidence),
    ruledOut: list(sample.ruledOut),
    suspects: list(sample.suspects),
    undetermined: list(sample.undetermined),
    remedies: list(sample.remedies),
    nextSteps: list(sample.nextSteps),
  } as unknown as Diagnosis;
}

/** Moments become nanoseconds again; only their distances matter for a ladder. */
function toHandshake(value: Loose): Handshake | undefined {
  if (!isLoose(value.client) || !isLoose(value.server)) return undefined;
  const startedAtNs = nanoseconds(value.startedAt);
  const segments = list<Loose>(value.segments).map((segment) => ({
    ...segment,
    timeNs: startedAtNs + BigInt(Math.round(Number(segment.sinceStartNs ?? 0))),
  }));
  return {
    outcome: 'no-reply',
    omittedSegments: 0,
    ...value,
    segments: segments as unknown as readonly Segment[],
    findings: list(value.findings),
    startedAtNs,
    endedAtNs: nanoseconds(value.endedAt),
  } as unknown as Handshake;
}

function nanoseconds(at: unknown): bigint {
  const ms = Date.parse(String(at));
  return Number.isNaN(ms) ? 0n : BigInt(ms) * 1_000_000n;
}

function isLoose(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

function list<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}
