import { resolveTarget } from '../../collect/client/resolve.ts';
import type { JoinInput } from '../../engine/join-attempt.ts';
import type { Host } from '../../host/host.ts';
import type { Diagnosis, NotSeen } from '../../model/diagnosis.ts';
import type { ConnectTarget } from '../diagnose-connect.ts';
import type { PointRole } from './watched-point.ts';

/** A host of a trace: opened, or why it could not be. */
export interface TraceHost {
  readonly role: PointRole;
  /** Short and unique among the hosts of the trace. */
  readonly name: string;
  readonly host: Host | { readonly missing: NotSeen };
  /** The file in which its packets are kept as well. */
  readonly path?: string;
}

/** How a trace is made. */
export interface TraceOptions {
  readonly client: TraceHost;
  readonly server: TraceHost;
  /** Hosts between them, those nearest to the client first. */
  readonly vias: readonly TraceHost[];
  readonly target: ConnectTarget;
  /** So many connections are tried, as long as they work. */
  readonly attempts: number;
  /** No connection is made: the application's own are waited for, so long. */
  readonly waitMs?: number;
  /** A connection that is tried gives up after so long. */
  readonly timeoutMs: number;
  /** Keeps a connection for so long once it is there, and watches what happens. */
  readonly holdMs: number;
  readonly family?: 4 | 6;
  /** Port on the server, when it is another than the one that the client asks for. */
  readonly serverPort?: number;
  readonly signal?: AbortSignal;
  readonly onState?: (name: string, state: string) => void;
  readonly onStep?: (text: string) => void;
  /** Called when everything is watched: whatever is sent from now on is seen. */
  readonly onReady?: () => void;
  /** Gets what each attempt is judged by, and what came of it: the last time counts. */
  readonly onJoined?: (input: JoinInput, diagnosis: Diagnosis) => void;
}

/** Addresses of the target as the client's host resolves it. @throws HostError */
export async function targetAddresses(host: Host, { target, family }: TraceOptions): Promise<readonly string[]> {
  const { addresses } = await resolveTarget(host, target.name);
  return addresses
    .filter((one) => family === undefined || one.family === family)
    .map(({ address }) => address.split('%')[0] ?? address);
}
