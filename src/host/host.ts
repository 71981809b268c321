import type { NetlinkMessage } from '../formats/netlink/message.ts';

/** What ran and how it ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why a host could not do what it was asked. */
export type HostErrorCode = 'not-found' | 'no-permission' | 'timed-out' | 'not-recorded' | 'unreachable' | 'failed';

/** Thrown when a host cannot read, run or capture; collectors turn it into an `Unavailable` fact. */
export class HostError extends Error {
  override readonly name: string = 'HostError';
  readonly code: HostErrorCode;
  readonly hint: string | undefined;

  constructor(code: HostErrorCode, message: string, options: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
  }
}

/** How a command is run. */
export interface RunOptions {
  /** Written to its standard input. */
  readonly input?: string;
  /** 10 seconds unless given. */
  readonly timeoutMs?: number;
  /** Largest output that is kept, in bytes; 64 MiB unless given. */
  readonly maxBytes?: number;
}

/** Which packets to capture: the handshakes of one port (all ports when absent), the errors about them, ARP and ND. */
export interface CaptureSpec {
  readonly port?: number;
  /** Only packets of this peer. */
  readonly peer?: string;
  /** Bytes kept of each packet; 192 unless given. */
  readonly snapLengthBytes?: number;
  /**
   * A handful of packets is expected, as those of one client are: where it can be chosen, the capture begins and ends sooner then, and takes
   * less memory, but would lose a flood.
   */
  readonly isFew?: boolean;
  /** Memory for packets that wait to be read, where it can be chosen; 16 MiB unless given. */
  readonly bufferBytes?: number;
  /**
   * Classic BPF program for a SOCK_DGRAM packet socket, instead of the one that follows from the rest; where packets are captured by a ring
   * of this process. It may be replaced later, see {@link HostCapture.setFilter}.
   */
  readonly filter?: Uint8Array;
  /** Only this interface, by its index, where packets are captured by a ring of this process. */
  readonly interfaceIndex?: number;
  /** Packets that leave are not seen, and cost nothing (PACKET_IGNORE_OUTGOING); of loopback, each is still seen coming in. */
  readonly ignoreOutgoing?: boolean;
  /** Packets are handed over after so long, where it can be chosen: rarer is cheaper. */
  readonly handOverMs?: number;
}

/** A running command whose output is read as it comes. */
export interface HostStream {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Ends it; what it wrote until then can still be read. */
  stop(): void;
}

/** A running capture: a pcap stream (LINKTYPE_LINUX_SLL2, nanoseconds) that begins with its file header. */
export interface HostCapture extends HostStream {
  /** Resolves when the first packet could be seen: nothing that happens from now on is missed. */
  readonly ready: Promise<void>;
  /** @param atOnce whether packets that are still on their way need not be waited for. */
  stop(atOnce?: boolean): void;
  /** Packets that were lost because they came too fast, as far as known. */
  lost(): number;
  /** Replaces the filter of a capture that was begun with one of its own. */
  setFilter?(program: Uint8Array): void;
}

/** One connect() to be made from a host. */
export interface ConnectRequest {
  readonly address: string;
  readonly port: number;
  /** Gives up after so long; the errno is then `TIMEDOUT-LOCAL`. */
  readonly timeoutMs: number;
  /** After it connected: keeps the connection for so long and tells what happened. 0: closes at once. */
  readonly holdMs?: number;
  /** TTL or hop limit of its packets (IP_TTL, IPV6_UNICAST_HOPS). */
  readonly ttl?: number;
  /** Told the own address and port as soon as the kernel has chosen them, by hosts that can. */
  readonly onLocal?: (local: { readonly address: string; readonly port: number }) => void;
  /** Told that it connected, before it is held, by hosts that can. */
  readonly onConnected?: () => void;
}

/** What connect() did. */
export interface ConnectOutcome {
  readonly local?: { readonly address: string; readonly port: number };
  /** Symbolic errno, for example `ECONNREFUSED`; absent when it connected. */
  readonly errno?: string;
  readonly elapsedMs: number;
  /** What happened while it was held: nothing, data, an orderly end, a reset. */
  readonly afterwards?: 'silent' | 'data' | 'closed' | 'reset';
}

/** What a listening socket does not tell by `ss`. */
export interface ListenerOptions {
  /** IP_MINTTL or IPV6_MINHOPCOUNT; absent for none. */
  readonly minTtl?: number;
  /** TCP_DEFER_ACCEPT, seconds; absent for none. */
  readonly deferAcceptSeconds?: number;
  readonly reuseport?: true;
  /** Classic BPF of SO_ATTACH_FILTER, hexadecimal. */
  readonly filter?: string;
  /** It has a filter that cannot be read: one of eBPF. */
  readonly hasForeignFilter?: true;
  /** Peers that TCP-MD5 signs for, as `192.0.2.0/24`; never the keys. */
  readonly md5Peers?: readonly string[];
}

/** One machine (or one network namespace of it), or the recording of one: the only thing through which facts are read. */
export interface Host {
  /** What `--on` names it: `local`, `netns:web`, `ssh:root@web7`, `bundle:FILE`. */
  readonly spec: string;
  /** From which address the one who asks is connected to the host, as the host sees it; absent when there is no such connection. */
  readonly operator?: string | undefined;
  /** Variables that a program on the host finds, where they are known without asking it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Reads a whole text file. @throws HostError */
  readFile(path: string): Promise<string>;
  /**
   * Reads many small text files in one go; what cannot be read is absent, and so is an empty file. The last line end of each is left
   * out. A host on which a command does that as well lacks this.
   * @throws HostError when the host cannot be asked at all.
   */
  readFiles?(paths: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Names in a directory, sorted. @throws HostError */
  listDirectory(path: string): Promise<readonly string[]>;
  /** Runs a command to its end; its exit code is data. @throws HostError `not-found` when there is no such program. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** Starts a command and hands over its standard output as it comes. @throws HostError */
  stream(argv: readonly string[]): HostStream;
  /** Captures packets on all interfaces. @throws HostError `no-permission` without CAP_NET_RAW. */
  capture(spec: CaptureSpec): Promise<HostCapture>;
  /** Opens a TCP connection from the host, and closes it. @throws HostError `not-recorded`, or where a host has no way to. */
  connect(request: ConnectRequest): Promise<ConnectOutcome>;
  /** What the sockets that listen on a port do not tell by `ss`, by inode. Only where the kernel can be asked directly. @throws HostError */
  listenerOptions?(port: number): Promise<ReadonlyMap<number, ListenerOptions>>;
  /** All messages of a netlink dump, raw. Only where the kernel can be asked directly. @throws HostError */
  dumpNetlink?(protocol: number, type: number, body: Uint8Array): Promise<readonly NetlinkMessage[]>;
  /** The host's clock, nanoseconds since 1970-01-01 UTC. */
  nowNs(): Promise<bigint>;
  /**
   * Tells that the state before a watch was read: from now on questions are about what happens in it. A recording keeps the two
   * apart; other hosts need not know.
   */
  beginWatch?(): void;
  close(): Promise<void>;
}
