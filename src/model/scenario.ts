import type { Place } from './cause.ts';

/** A namespace of the lab: client ── router ── server. */
export type LabNode = 'client' | 'router' | 'server';

/** Names and addresses of one run of the lab. They differ from run to run: a scenario must use these and no others. */
export interface LabNames {
  /** Family of the attempt. The addresses of the other family exist as well. */
  readonly family: 4 | 6;
  /** Port of the listener. */
  readonly port: number;
  /** Addresses in the family of the attempt. */
  readonly client: string;
  readonly server: string;
  /** The router's address towards the client: the client's gateway; and towards the server. */
  readonly clientGateway: string;
  readonly serverGateway: string;
  /** On-link prefixes with length, in the family of the attempt. */
  readonly clientPrefix: string;
  readonly serverPrefix: string;
  /** Interface of the client, of the server, and the router's two. */
  readonly clientDevice: string;
  readonly serverDevice: string;
  readonly routerClientDevice: string;
  readonly routerServerDevice: string;
  /** Host addresses on the server's and on the client's link that nobody has. */
  readonly unusedOnServerLink: string;
  readonly unusedOnClientLink: string;
  /** Documentation or benchmark address outside of both links, routed nowhere; with its prefix. */
  readonly elsewhere: string;
  readonly elsewherePrefix: string;
  /** `ip` and `-4`/`-6` for the family of the attempt: `['ip', '-6']`. */
  readonly ip: readonly string[];
  /** `ip` or `ip6`: the word of nft for the family of the attempt. */
  readonly nftFamily: 'ip' | 'ip6';
  /** `iptables` or `ip6tables`. */
  readonly iptables: string;
  /** Names of the network namespaces, for `ip link add … netns NAME`. */
  readonly namespaces: { readonly [N in LabNode]: string };
  /** A fresh name for things that are not in a namespace (cgroups, files): unique to this run. */
  readonly unique: string;
}

/** A socket option: level, name and value by number, as setsockopt(2) takes them; a string is bytes in hexadecimal. */
export interface LabSocketOption {
  readonly level: number;
  readonly option: number;
  readonly value: number | string;
}

/** A process that listens. */
export interface LabListener {
  /** For `signal` and `stop`; `main` unless given. */
  readonly name?: string;
  /** `::` (both families) unless given. */
  readonly address?: string;
  /** The port of the run unless given. */
  readonly port?: number;
  /** 128 unless given. */
  readonly backlog?: number;
  /** `always` (default): takes connections and holds them; `never`; a number: so many, then never again. */
  readonly accept?: 'always' | 'never' | number;
  /** What it does with a connection: holds it until the peer closes (default), closes it, resets it (SO_LINGER 0), greets and holds. */
  readonly then?: 'hold' | 'close' | 'reset' | 'greet';
  readonly options?: readonly LabSocketOption[];
  readonly v6only?: boolean;
  /** SO_REUSEPORT. */
  readonly reusePort?: boolean;
  /** SO_BINDTODEVICE. */
  readonly device?: string;
  /** Classic BPF filter on the listener that drops everything. */
  readonly dropFilter?: boolean;
  /** TCP-MD5 key (RFC 2385) required of this peer address. */
  readonly md5?: { readonly peer: string; readonly key: string };
  /** The process can open so many files more, once it listens (RLIMIT_NOFILE): so many connections it can accept. */
  readonly openFiles?: number;
  /** Run in a cgroup (v2) of this name below the root; a `bpf` step may attach to it. */
  readonly cgroup?: string;
}

/** A process that connects. */
export interface LabConnect {
  /** The server unless given; an address (with `%device` for a link-local one), or a name for the resolver of the node: `synscope-lab.test` stands in its hosts file with the server's addresses of both families, IPv6 first. */
  readonly address?: string;
  readonly port?: number;
  /** So many connections, one after the other; 1 unless given. */
  readonly count?: number;
  readonly sourceAddress?: string;
  readonly sourcePort?: number;
  readonly options?: readonly LabSocketOption[];
  readonly device?: string;
  readonly md5?: { readonly peer: string; readonly key: string };
  /** Gives up after so long and closes; otherwise the kernel decides. */
  readonly patienceMs?: number;
  /** Sends this after it connected, then reads for so long. */
  readonly send?: string;
  readonly readMs?: number;
  /** What it does with a connection after that: holds it (default), closes it, resets it (SO_LINGER 0), or loses it without a packet, as a host that crashed. */
  readonly then?: 'hold' | 'close' | 'reset' | 'vanish';
  /** In a Landlock sandbox without the right to connect (LANDLOCK_ACCESS_NET_CONNECT_TCP). */
  readonly landlock?: boolean;
  readonly cgroup?: string;
  /** TCP Fast Open (MSG_FASTOPEN) with `send`. */
  readonly fastOpen?: boolean;
  /** The process can open so many files more (RLIMIT_NOFILE); 0: not even one socket. */
  readonly openFiles?: number;
}

/** A packet that is put together by hand; addresses and ports of the run unless given. */
export interface LabPacket {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Letters as tcpdump prints them: `S`, `SA`, `R`, `A`, `SF`, `F`, ''. */
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly ttl?: number;
  /** Option bytes in hexadecimal, padded by the lab. */
  readonly tcpOptions?: string;
  readonly payload?: string;
  readonly badTcpChecksum?: boolean;
  readonly badIpChecksum?: boolean;
  /** So many, from consecutive source ports; 1 unless given. */
  readonly count?: number;
  readonly intervalMs?: number;
}

/** A tiny BPF program; it is gone when the run is over. XDP and sk_lookup concern TCP to the port of the run alone; in a cgroup, everything. */
export type LabBpf =
  | {
      readonly hook: 'xdp-driver' | 'xdp-generic';
      readonly device: string;
      readonly action: 'drop' | 'aborted' | 'pass';
    }
  | {
      readonly hook: 'cgroup-ingress' | 'cgroup-egress' | 'cgroup-connect4' | 'cgroup-connect6';
      readonly cgroup: string;
      readonly action: 'deny';
    }
  | { readonly hook: 'sk-lookup'; readonly action: 'drop' };

/** One thing that the lab does. Steps run in order; each ends before the next begins. */
export type LabStep =
  | { readonly on: LabNode; readonly run: readonly string[]; readonly mayFail?: true; readonly input?: string }
  | { readonly on: LabNode; readonly sysctl: Readonly<Record<string, string | number>> }
  /** Text of a rule set for `nft -f -`. */
  | { readonly on: LabNode; readonly nft: string }
  | { readonly on: LabNode; readonly listen: LabListener }
  /** Connects and holds what it has; the step ends when all connects have ended. */
  | { readonly on: LabNode; readonly connect: LabConnect }
  | { readonly on: LabNode; readonly send: LabPacket }
  | { readonly on: LabNode; readonly bpf: LabBpf }
  | { readonly on: LabNode; readonly signal: 'STOP' | 'CONT' | 'KILL'; readonly listener?: string }
  /** A further namespace that hangs on the router by a veth pair, with this address on it. */
  | { readonly on: 'router'; readonly attach: { readonly name: string; readonly address: string } }
  /** A small responder on a node that answers each SYN to the port with a segment made by hand (wrong ack, wrong timestamp, RST, ...). */
  | {
      readonly on: LabNode;
      readonly answerWith: LabPacket & {
        readonly ackOffset?: number;
        readonly tsecr?: number;
        readonly fromAddress?: string;
      };
    }
  /** Files of its own in /etc for a node (`resolv.conf`, `hosts`, `nsswitch.conf`), as ip-netns(8) puts them in place. */
  | { readonly on: LabNode; readonly etc: Readonly<Record<string, string>> }
  | { readonly waitMs: number };

/** What the lab must find for a scenario. */
export interface Expected {
  /** From the server; the scenario's own cause unless given. Several: any of them may stand first (they cannot be told apart). `null`: nothing wrong may be named. */
  readonly server?: readonly string[] | null;
  /** From the client alone. */
  readonly client?: readonly string[] | null;
  /** Where the client must look: the cause's own place unless given. */
  readonly place?: Place;
}

/** How the lab breaks one host for real. */
export interface ScenarioPlan {
  /** The listener of the server; a healthy one unless given; `null`: none. Starts before `steps`. */
  readonly listener?: LabListener | null;
  /** Done before the watch begins. */
  readonly steps: readonly LabStep[];
  /** What fails; a plain connect from the client unless given. Several attempts follow each other. */
  readonly attempt?: LabConnect | { readonly on: LabNode; readonly send: LabPacket };
  /** Done while the attempt runs, so long after its start. */
  readonly meanwhile?: readonly { readonly afterMs: number; readonly step: LabStep }[];
  /** Do not use what does not match this: the run would not be this cause. */
  readonly expect?: Expected;
}

/** A scenario of a cause, or why there is none. */
export type Scenario =
  | {
      /** Families in which it exists; both unless given. */
      readonly families?: readonly (4 | 6)[];
      /** What the kernel must have: it is skipped with this as the reason where a step fails for want of it. */
      readonly requires?: readonly string[];
      /** Further variants, by name: each is a scenario of its own with the same expectation. */
      readonly variants?: readonly string[];
      readonly plan: (names: LabNames, variant: string | undefined) => ScenarioPlan;
    }
  | { readonly impossible: string };
