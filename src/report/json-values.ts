import type { CaptureSummary } from '../model/capture.ts';
import type { ClockRelation, Diagnosis, Group } from '../model/diagnosis.ts';
import type { Handshake, Segment } from '../model/handshake.ts';
import type { Proof, ProofElement } from '../model/proof.ts';
import { formatTimestamp } from './format.ts';

/** A value of which JSON can hold every part. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A diagnosis as the JSON contract spells it. */
export function diagnosisValue(diagnosis: Diagnosis): JsonValue {
  const { handshake, cause, path, vantages } = diagnosis;
  return {
    handshake: handshakeValue(handshake),
    sentence: diagnosis.sentence,
    cause: cause && { id: cause.id, status: cause.status, title: cause.title, sentence: cause.sentence },
    evidence: diagnosis.evidence.map(({ statement, bearing, weight, source }) => ({
      statement,
      bearing,
      weight,
      source,
    })),
    ruledOut: diagnosis.ruledOut.map(({ id, statement }) => ({ id, statement })),
    suspects: diagnosis.suspects.map(({ id, status }) => ({ id, status })),
    undetermined: diagnosis.undetermined.map(({ id, reason, hint }) => ({ id, reason, hint })),
    remedies: diagnosis.remedies.map(({ id, title, risk, changes, commands }) => ({
      id,
      title,
      risk,
      changes: changes as readonly JsonValue[],
      commands,
    })),
    nextSteps: diagnosis.nextSteps.map(({ statement, command }) => ({ statement, command })),
    place: diagnosis.place,
    supposed: diagnosis.supposed,
    incomplete: diagnosis.incomplete,
    capture: diagnosis.capture,
    path: path && {
      location: path.location,
      sentence: path.sentence,
      frames: path.frames.map(({ capture, frame }) => ({ capture, frame })),
      confidence: path.confidence,
      between: path.between,
      match: path.match,
    },
    proof: diagnosis.proof && proofValue(diagnosis.proof),
    vantages: vantages?.map((vantage) => ({
      capture: vantage.capture,
      handshake: vantage.handshake && handshakeValue(vantage.handshake),
    })),
  };
}

/** A handshake with its segments as the JSON contract spells it. */
function proofValue(proof: Proof): JsonValue {
  const element = ({ kind, element, change, text }: ProofElement): JsonValue => ({ kind, element, change, text });
  return {
    outcome: proof.outcome,
    guilty: proof.guilty.map(element),
    alternatives: proof.alternatives.map((set) => set.map(element)),
    assumptions: proof.assumptions,
    notCopied: proof.notCopied,
    replays: proof.replays,
    tried: proof.tried,
    remedies: proof.remedies?.map(({ id, answers, alsoChanges, otherFlows, untried }) => ({
      id,
      answers,
      alsoChanges,
      otherFlows,
      untried,
    })),
    elapsedMs: proof.elapsedMs,
  };
}

/** A handshake with its segments as the JSON contract spells it. */
export function handshakeValue(handshake: Handshake): JsonValue {
  const { client, server, startedAtNs, clientOptions, serverOptions } = handshake;
  return {
    client: { address: client.address, port: client.port },
    server: { address: server.address, port: server.port },
    outcome: handshake.outcome,
    stage: handshake.stage,
    synRetransmissions: handshake.synRetransmissions,
    synAckRetransmissions: handshake.synAckRetransmissions,
    startedAt: formatTimestamp(startedAtNs),
    endedAt: formatTimestamp(handshake.endedAtNs),
    initialRttNs: handshake.initialRttNs,
    establishedAfterNs: handshake.establishedAfterNs,
    clientIsn: handshake.clientIsn,
    serverIsn: handshake.serverIsn,
    clientOptions: clientOptions && { ...clientOptions },
    serverOptions: serverOptions && { ...serverOptions },
    encapsulation: handshake.encapsulation,
    findings: handshake.findings.map(({ id, statement, frames }) => ({ id, statement, frames })),
    segments: handshake.segments.map((segment) => segmentValue(segment, startedAtNs)),
    omittedSegments: handshake.omittedSegments,
  };
}

function segmentValue(segment: Segment, startedAtNs: bigint): JsonValue {
  const { icmp } = segment;
  return {
    kind: segment.kind,
    direction: segment.direction,
    frame: segment.frame,
    time: formatTimestamp(segment.timeNs),
    sinceStartNs: Number(segment.timeNs - startedAtNs),
    repeat: segment.repeat,
    copies: segment.copies,
    seq: segment.seq,
    ack: segment.ack,
    flags: segment.flags,
    payloadBytes: segment.payloadBytes,
    ttl: segment.ttl,
    ipId: segment.ipId,
    tsval: segment.tsval,
    seen: segment.seen,
    icmp: icmp && {
      version: icmp.version,
      type: icmp.type,
      code: icmp.code,
      from: icmp.from,
      name: icmp.name,
      mtuBytes: icmp.mtuBytes,
    },
  };
}

/** A group as the JSON contract spells it. */
export function groupValue(group: Group): JsonValue {
  return {
    sentence: group.sentence,
    kind: group.kind,
    server: { address: group.server.address, port: group.server.port },
    outcome: group.outcome,
    causeId: group.causeId,
    location: group.location,
    count: group.count,
    clients: group.clients,
    firstAt: formatTimestamp(group.firstNs),
    lastAt: formatTimestamp(group.lastNs),
    examples: group.examples.map(diagnosisValue),
  };
}

/** The summary of a capture as the JSON contract spells it. */
export function captureValue(capture: CaptureSummary): JsonValue {
  const { firstNs, lastNs } = capture;
  return {
    name: capture.name,
    path: capture.path,
    format: capture.format,
    compression: capture.compression,
    interfaces: capture.interfaces.map(({ name, description, linkType, snapLength }) => ({
      name,
      description,
      linkType,
      snapLength,
    })),
    packets: capture.packets,
    bytes: capture.bytes,
    firstAt: firstNs === undefined ? undefined : formatTimestamp(firstNs),
    lastAt: lastNs === undefined ? undefined : formatTimestamp(lastNs),
    notes: capture.notes.map(({ code, statement, hint }) => ({ code, statement, hint })),
  };
}

/** The relation of a clock to the first one as the JSON contract spells it. */
export function clockValue(clock: ClockRelation): JsonValue {
  return {
    capture: clock.capture,
    offsetNs: Number(clock.offsetNs),
    uncertaintyNs: Number(clock.uncertaintyNs),
    driftPpm: clock.driftPpm,
    samples: clock.samples,
    confidence: clock.confidence,
    statement: clock.statement,
  };
}
