/** A process that holds a socket. */
export interface SocketOwner {
  readonly pid: number;
  readonly name: string;
  /** State of the process (proc(5)): `R`, `S`, `D`, `T` (stopped), `t` (traced), `Z`. */
  readonly state?: string;
  /** Its cgroup is frozen. */
  readonly frozen?: boolean;
  readonly openFiles?: number;
  readonly openFilesLimit?: number;
  /** Path of its cgroup (v2). */
  readonly cgroup?: string;
  /** The systemd unit, where the cgroup names one. */
  readonly unit?: string;
}

/** One listening TCP socket. */
export interface Listener {
  /** `0.0.0.0`, `::` or an address; without the scope. */
  readonly address: string;
  readonly port: number;
  /** Family of the socket: a v6 socket on `::` takes v4 too unless it is v6-only. */
  readonly family: 4 | 6;
  readonly v6only: boolean;
  /** SO_BINDTODEVICE, or the VRF. */
  readonly device?: string;
  readonly uid?: number;
  readonly inode?: number;
  readonly mark?: number;
  readonly cgroup?: string;
  /** Connections that wait for accept(), and how many may (`sk_ack_backlog`, `sk_max_ack_backlog`). */
  readonly acceptQueue: number;
  readonly backlog: number;
  /** The backlog could not be read; `backlog` is then `somaxconn`, which it cannot exceed. */
  readonly backlogUnknown?: true;
  /** Segments that the socket refused (`sk_drops`, the `d` of skmem), and how many of them during the watch. */
  readonly drops?: number;
  readonly dropsDelta?: number;
  /** It was not there when the watch began. */
  readonly appeared?: true;
  /** A classic or extended filter is attached (SO_ATTACH_FILTER, SO_ATTACH_BPF); absent when it cannot be told. */
  readonly filter?: boolean;
  readonly owners: readonly SocketOwner[];
}

/** One TCP socket that is not listening. */
export interface Connection {
  /** As `ss` spells it: `ESTAB`, `SYN-RECV`, `SYN-SENT`, `TIME-WAIT`, `FIN-WAIT-1`, ... */
  readonly state: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly owners: readonly SocketOwner[];
}

/** What the sockets of this host say of the attempt. */
export interface SocketTable {
  /** All listening TCP sockets of the network namespace. */
  readonly listeners: readonly Listener[];
  /** Listeners on the port of the attempt that would take a SYN to its address and family, by the kernel's own rule. */
  readonly matching: readonly Listener[];
  /** Listeners on the same port that do not take it. */
  readonly mismatched: readonly { readonly listener: Listener; readonly why: 'address' | 'family' | 'device' }[];
  /** Sockets between the two addresses of the attempt, and any with exactly its ports. */
  readonly connections: readonly Connection[];
  /** The one with exactly the endpoints of the attempt. */
  readonly exact?: Connection;
  /** Half-open connections of the port (SYN-RECV), all clients. */
  readonly synReceived: number;
  /** Local ports in use towards the server of the attempt: its address and port; only on the client. */
  readonly portsInUse?: number;
}

/** A network namespace besides the one that was looked at, with a listener on the port. */
export interface OtherNamespace {
  /** `ip netns` name, or `pid 1234 (nginx)`. */
  readonly name: string;
  readonly listeners: readonly { readonly address: string; readonly port: number; readonly process?: string }[];
}
