/**
 * The vocabulary of synscope's reports, for programs that read its `--json` or build on it. The command line is the stable
 * interface; this module grows with it.
 */
export type { CaptureInterface, CaptureSummary, Note } from './model/capture.ts';
export type {
  CaptureReport,
  CauseVerdict,
  ClockRelation,
  Diagnosis,
  Evidence,
  EvidenceWeight,
  Group,
  NextStep,
  RemedyOffer,
  VerdictStatus,
} from './model/diagnosis.ts';
export type { Endpoint, Flow } from './model/flow.ts';
export { formatEndpoint, formatHost } from './model/flow.ts';
export type {
  Finding,
  FindingId,
  Handshake,
  IcmpError,
  Outcome,
  Segment,
  SegmentKind,
  Stage,
  SynOptions,
} from './model/handshake.ts';
export { OUTCOMES } from './model/handshake.ts';
export type { FrameReference, PathLocation, PathVerdict } from './model/path.ts';
export { PATH_LOCATIONS } from './model/path.ts';
