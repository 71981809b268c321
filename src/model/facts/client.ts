/** Resolving a name takes longer than users put up with. */
export const SLOW_RESOLUTION_MS = 1000;

/** What name resolution gave, and how long it took. */
export interface Resolution {
  /** The name that was asked for; absent when the target is an address. */
  readonly name?: string;
  /** In the order in which getaddrinfo() gave them (RFC 6724). */
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
  /** getaddrinfo() error, for example `EAI_AGAIN`, `ENOTFOUND`. */
  readonly error?: string;
  readonly elapsedMs: number;
  /** Answers of the name servers themselves, one each. */
  readonly servers: readonly {
    readonly address: string;
    readonly elapsedMs: number;
    /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `TIMEOUT`, `REFUSED`, ... */
    readonly result: string;
    readonly addresses: readonly string[];
  }[];
  /** Lines of the hosts file for this name. */
  readonly hostsFile: readonly string[];
  /** `nameserver` and `options` lines of resolv.conf. */
  readonly nameServers: readonly string[];
}

/** A proxy that an application would use for the target. */
export interface ProxySetting {
  /** `https_proxy`, `ALL_PROXY`, ... */
  readonly variable: string;
  /** Without user name and password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** `NO_PROXY` exempts the target. */
  readonly exempt: boolean;
}

/** Every address of the target, each tried. */
export interface AddressProbe {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly errno?: string;
  readonly elapsedMs: number;
}

/** What further probes of a silent server told: they narrow the place, never the cause. */
export interface PathProbe {
  /** Routers that answered SYNs with a small TTL, nearest first; `*` for those that did not. */
  readonly hops: readonly {
    readonly ttl: number;
    readonly address?: string;
    readonly rttMs?: number;
    readonly answer: 'time-exceeded' | 'syn-ack' | 'rst' | 'unreachable' | 'none';
  }[];
  /** How a port that is most likely closed answered. */
  readonly closedPort?: { readonly port: number; readonly answer: 'rst' | 'none' | 'syn-ack' | 'icmp' };
  /** Whether the server answered an ICMP echo request. */
  readonly echo?: 'reply' | 'none' | 'unreachable';
}
