import type { Host } from '../host/host.ts';
import type { CaptureReport, Diagnosis, RemedyOffer } from '../model/diagnosis.ts';
import { type ConnectTarget, diagnoseConnect } from './diagnose-connect.ts';
import { diagnoseListen } from './diagnose-listen.ts';

/** A fault that has a name: what a repair is for. */
export interface Fault {
  readonly side: 'server' | 'client';
  readonly cause: NonNullable<Diagnosis['cause']>;
  readonly sentence: string;
  readonly place?: Diagnosis['place'];
  readonly server: { readonly address: string; readonly port: number };
  /** Address of the client for whom it failed; absent when no client was seen. */
  readonly client?: string;
  /** No packet was seen: the host was asked what it would do. */
  readonly supposed: boolean;
  readonly remedies: readonly RemedyOffer[];
  /** When it was found, of one that was remembered. */
  readonly at?: string;
}

/** What is to be diagnosed. */
export type FaultTarget =
  | {
      readonly side: 'server';
      readonly port: number;
      readonly address?: string;
      /** Nothing is watched: a SYN from here is judged. */
      readonly from?: string;
      readonly forMs: number;
    }
  | { readonly side: 'client'; readonly target: ConnectTarget; readonly timeoutMs: number };

/** Makes the diagnosis from which a repair starts. @throws HostError */
export function diagnoseFault(
  host: Host,
  target: FaultTarget,
  { signal, onReady }: { readonly signal?: AbortSignal; readonly onReady?: () => void } = {},
): Promise<CaptureReport> {
  const common = { host, ...(signal === undefined ? {} : { signal }), ...(onReady === undefined ? {} : { onReady }) };
  if (target.side === 'client') {
    return diagnoseConnect({ ...common, target: target.target, timeoutMs: target.timeoutMs, holdMs: 400 });
  }
  const { port, address, from, forMs } = target;
  return diagnoseListen({
    ...common,
    port,
    forMs,
    ...(address === undefined ? {} : { address }),
    ...(from === undefined ? {} : { from }),
  });
}

/** The faults that a report names, the surest first; the one with this cause alone when it is given. */
export function faultsOf({ diagnoses }: CaptureReport, side: Fault['side'], causeId?: string): Fault[] {
  return diagnoses
    .flatMap((diagnosis) => faultOf(diagnosis, side) ?? [])
    .filter(({ cause }) => causeId === undefined || cause.id === causeId)
    .sort((a, b) => Number(b.cause.status === 'confirmed') - Number(a.cause.status === 'confirmed'));
}

/** The fault that a diagnosis names; undefined when no cause stands out. */
export function faultOf(diagnosis: Diagnosis, side: Fault['side']): Fault | undefined {
  const { cause, handshake, sentence, place, remedies, supposed } = diagnosis;
  if (cause === null) return undefined;
  const client = handshake.client.address;
  return {
    side,
    cause,
    sentence,
    ...(place === undefined ? {} : { place }),
    server: { address: handshake.server.address, port: handshake.server.port },
    ...(/^(0\.0\.0\.0|::)$/.test(client) ? {} : { client }),
    supposed: supposed === true,
    remedies,
  };
}
