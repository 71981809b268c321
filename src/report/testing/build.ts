import type { CaptureSummary } from '../../model/capture.ts';
import type { CaptureReport, Diagnosis, Evidence } from '../../model/diagnosis.ts';
import type { Endpoint } from '../../model/flow.ts';
import type { Handshake, Segment, SynOptions } from '../../model/handshake.ts';

/** 2026-11-20T14:03:07Z, where the sample captures begin. */
const BASE_NS = 1_795_183_387_000_000_000n;

/** A time of the sample captures, in seconds after they begin. */
export function at(seconds: number): bigint {
  return BASE_NS + BigInt(Math.round(seconds * 1e9));
}

/** A segment with everything that a test does not care about filled in. */
export function segment(
  kind: Segment['kind'],
  direction: Segment['direction'],
  frame: number,
  seconds: number,
  more: Partial<Segment> = {},
): Segment {
  const flags = { syn: 0x02, 'syn-ack': 0x12, ack: 0x10, data: 0x18, fin: 0x11, rst: 0x14, icmp: 0x02, other: 0x10 };
  return {
    kind,
    direction,
    frame,
    timeNs: at(seconds),
    repeat: 0,
    copies: 0,
    seq: 1_000_000,
    ack: 0,
    flags: flags[kind],
    payloadBytes: 0,
    ttl: 64,
    ...more,
  };
}

/** The options of a SYN as Linux sends it. */
const LINUX_SYN: SynOptions = {
  mssBytes: 1460,
  windowBytes: 64_240,
  windowScaleShift: 7,
  sackPermitted: true,
  timestamps: true,
  mptcp: false,
  md5: false,
  ao: false,
  ecnSetup: false,
};

/** A handshake whose counters follow from its segments. */
export function handshake(
  client: Endpoint,
  server: Endpoint,
  segments: readonly Segment[],
  more: Partial<Handshake> & Pick<Handshake, 'outcome' | 'stage'>,
): Handshake {
  return {
    client,
    server,
    segments,
    omittedSegments: 0,
    synRetransmissions: segments.filter(({ kind, repeat }) => kind === 'syn' && repeat > 0).length,
    synAckRetransmissions: segments.filter(({ kind, repeat }) => kind === 'syn-ack' && repeat > 0).length,
    clientIsn: 1_000_000,
    clientOptions: LINUX_SYN,
    startedAtNs: segments[0]?.timeNs ?? BASE_NS,
    endedAtNs: segments.at(-1)?.timeNs ?? BASE_NS,
    encapsulation: [],
    findings: [],
    ...more,
  };
}

/** A diagnosis of a handshake with nothing known but its sentence. */
export function diagnosis(of: Handshake, sentence: string, more: Partial<Diagnosis> = {}): Diagnosis {
  return {
    handshake: of,
    sentence,
    cause: null,
    evidence: [],
    ruledOut: [],
    suspects: [],
    undetermined: [],
    remedies: [],
    nextSteps: [],
    ...more,
  };
}

/** Evidence for a diagnosis. */
export function evidence(statement: string, source: string, more: Partial<Evidence> = {}): Evidence {
  return { statement, source, bearing: 'supports', weight: 'strong', ...more };
}

/** The summary of a capture on one Ethernet interface. */
export function capture(name: string, packets: number, more: Partial<CaptureSummary> = {}): CaptureSummary {
  return {
    name,
    format: 'pcapng',
    interfaces: [{ name: 'eth0', linkType: 1, snapLength: 262_144 }],
    packets,
    bytes: packets * 96,
    firstNs: at(0),
    lastNs: at(64.2),
    notes: [],
    ...more,
  };
}

/** A report of the diagnoses of its groups, with nothing else found. */
export function report(more: Partial<CaptureReport> & Pick<CaptureReport, 'headline' | 'groups'>): CaptureReport {
  return {
    command: 'read',
    captures: [capture('client.pcapng', 1284)],
    diagnoses: more.groups.flatMap((group) => group.examples),
    omittedDiagnoses: 0,
    summary: { handshakes: 0, failed: 0, outcomes: {}, late: 0 },
    notes: [],
    ...more,
  };
}
