/** One end of a socket; the address in canonical form, `*` spelled out. */
export interface SocketEnd {
  readonly address: string;
  /** 0 for `*`. */
  readonly port: number;
}

/** A process that has a socket open. */
export interface SocketUser {
  readonly name: string;
  readonly pid: number;
}

/** One TCP socket, as `ss` or /proc/net/tcp tells it. */
export interface SocketRow {
  /** As `ss` spells it: `LISTEN`, `ESTAB`, `SYN-RECV`, ...; absent when only sockets of one state were asked for. */
  readonly state?: string;
  /** Family of the socket; that of its addresses may be 4 on a socket of family 6. */
  readonly family: 4 | 6;
  /** Of a listener: connections that wait for accept(), and how many may. */
  readonly receiveQueue: number;
  /** Absent when the source does not tell it: /proc/net/tcp knows no backlog. */
  readonly sendQueue?: number;
  readonly local: SocketEnd;
  /** The interface that the socket is bound to (SO_BINDTODEVICE, or a scoped address). */
  readonly device?: string;
  readonly remote: SocketEnd;
  readonly v6only?: boolean;
  readonly uid?: number;
  readonly inode?: number;
  readonly mark?: number;
  /** Path in the cgroup hierarchy (v2). */
  readonly cgroup?: string;
  /** `sk_drops`. */
  readonly drops?: number;
  readonly users: readonly SocketUser[];
}
