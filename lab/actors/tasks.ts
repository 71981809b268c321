import type { ConnectResult } from '../../src/model/facts/attempt.ts';
import type { LabBpf, LabSocketOption } from '../../src/model/scenario.ts';

/** What an actor is told to do; everything that the scenario left open is decided. */
export type ActorTask =
  | { readonly do: 'listen'; readonly listener: ListenTask }
  | { readonly do: 'connect'; readonly connect: ConnectTask }
  | { readonly do: 'send'; readonly send: SendTask }
  | { readonly do: 'answer'; readonly answer: AnswerTask }
  | { readonly do: 'bpf'; readonly bpf: BpfTask };

/** See `LabListener`. */
export interface ListenTask {
  readonly address: string;
  readonly port: number;
  readonly backlog: number;
  readonly accept: 'always' | 'never' | number;
  readonly afterwards: 'hold' | 'close' | 'reset' | 'greet';
  readonly options: readonly LabSocketOption[];
  readonly v6only: boolean;
  readonly reusePort: boolean;
  readonly device?: string;
  readonly dropFilter: boolean;
  readonly md5?: { readonly peer: string; readonly key: string };
  readonly openFiles?: number;
}

/** See `LabConnect`. */
export interface ConnectTask {
  /** An address, or a name that the resolver of the namespace is asked for. */
  readonly address: string;
  readonly port: number;
  readonly count: number;
  readonly sourceAddress?: string;
  readonly sourcePort?: number;
  readonly options: readonly LabSocketOption[];
  readonly device?: string;
  readonly md5?: { readonly peer: string; readonly key: string };
  readonly patienceMs?: number;
  readonly send?: string;
  readonly readMs: number;
  readonly afterwards: 'hold' | 'close' | 'reset' | 'vanish';
  readonly landlock: boolean;
  readonly fastOpen: boolean;
  readonly openFiles?: number;
}

/** See `LabPacket`. */
export interface SendTask {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly ttl: number;
  readonly tcpOptions?: string;
  readonly payload: string;
  readonly badTcpChecksum: boolean;
  readonly badIpChecksum: boolean;
  readonly count: number;
  readonly intervalMs: number;
  /** Where packets leave that the kernel would not send as they are (`badIpChecksum`): straight to this neighbour. */
  readonly link: { readonly device: string; readonly mac: string };
}

/** See `answerWith`: what is absent follows from the SYN. */
export interface AnswerTask {
  readonly port: number;
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly ackOffset: number;
  readonly tsecr?: number;
  readonly ttl: number;
  readonly tcpOptions?: string;
  readonly payload: string;
  readonly badTcpChecksum: boolean;
  readonly badIpChecksum: boolean;
  readonly fromAddress?: string;
  readonly sourcePort?: number;
  readonly count: number;
}

/** See `LabBpf`; the cgroup as a path; the port is that of the run. */
export type BpfTask = LabBpf & { readonly port: number };

/** One line to an actor. */
export interface ActorRequest {
  readonly id: number;
  readonly task: ActorTask;
}

/** One line from an actor: the answer to the request of this id. `errno`: a system call failed with it. */
export type ActorAnswer =
  | { readonly id: number; readonly results?: readonly ConnectResult[] }
  | { readonly id: number; readonly error: string; readonly errno?: string };
