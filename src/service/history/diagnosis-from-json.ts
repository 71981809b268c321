import type { Diagnosis } from '../../model/diagnosis.ts';
import { type Handshake, OUTCOMES, type Segment } from '../../model/handshake.ts';
import { parseTimestamp } from './parse-time.ts';

type Loose = Readonly<Record<string, unknown>>;

/**
 * Reads a sample of an incident (a diagnosis as `docs/json.md` spells it) back, as far as reports use it. Histories outlive versions: what is
 * missing is filled in as empty.
 * @returns undefined when it holds no handshake
 */
export function diagnosisFromValue(value: unknown): Diagnosis | undefined {
  if (!isLoose(value)) return undefined;
  const handshake = handshakeFromValue(value.handshake);
  if (handshake === undefined) return undefined;
  const { cause } = value;
  return {
    ...value,
    handshake,
    sentence: text(value.sentence),
    cause: isLoose(cause)
      ? { id: text(cause.id), status: text(cause.status), title: text(cause.title), sentence: text(cause.sentence) }
      : null,
    evidence: texts(value.evidence, ['statement', 'bearing', 'weight', 'source']),
    ruledOut: texts(value.ruledOut, ['id', 'statement']),
    suspects: texts(value.suspects, ['id', 'status']),
    undetermined: texts(value.undetermined, ['id', 'reason']),
    remedies: list(value.remedies).map((remedy) => ({
      ...remedy,
      title: text(remedy.title),
      risk: text(remedy.risk),
      commands: Array.isArray(remedy.commands) ? remedy.commands.map(text) : [],
    })),
    nextSteps: list(value.nextSteps).map(({ statement, command }) => ({
      statement: text(statement),
      ...(Array.isArray(command) ? { command: command.map(text) } : {}),
    })),
    vantages: undefined,
    path: undefined,
  } as unknown as Diagnosis;
}

function handshakeFromValue(value: unknown): Handshake | undefined {
  if (!isLoose(value) || !isLoose(value.client) || !isLoose(value.server)) return undefined;
  const outcome = OUTCOMES.find((one) => one === value.outcome);
  const startedAtNs = parseTimestamp(text(value.startedAt));
  if (outcome === undefined || startedAtNs === undefined) return undefined;
  return {
    ...value,
    client: endpoint(value.client),
    server: endpoint(value.server),
    outcome,
    startedAtNs,
    endedAtNs: parseTimestamp(text(value.endedAt)) ?? startedAtNs,
    omittedSegments: Number(value.omittedSegments ?? 0),
    segments: list(value.segments).flatMap((segment) => segmentFromValue(segment, startedAtNs)),
    findings: list(value.findings).map((finding) => ({
      ...finding,
      id: text(finding.id),
      statement: text(finding.statement),
      frames: Array.isArray(finding.frames) ? finding.frames.map(Number) : [],
    })),
    encapsulation: Array.isArray(value.encapsulation) ? value.encapsulation.map(text) : [],
  } as unknown as Handshake;
}

function segmentFromValue(segment: Loose, startedAtNs: bigint): Segment[] {
  const since = Number(segment.sinceStartNs ?? Number.NaN);
  const timeNs =
    parseTimestamp(text(segment.time)) ??
    (Number.isFinite(since) ? startedAtNs + BigInt(Math.round(since)) : undefined);
  if (timeNs === undefined || typeof segment.kind !== 'string') return [];
  return [{ repeat: 0, copies: 0, payloadBytes: 0, ...segment, timeNs } as unknown as Segment];
}

function endpoint({ address, port }: Loose): { readonly address: string; readonly port: number } {
  return { address: text(address), port: Number(port ?? 0) };
}

function texts(value: unknown, names: readonly string[]): Loose[] {
  return list(value).map((item) => ({ ...item, ...Object.fromEntries(names.map((name) => [name, text(item[name])])) }));
}

function list(value: unknown): Loose[] {
  return Array.isArray(value) ? value.filter(isLoose) : [];
}

function isLoose(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
