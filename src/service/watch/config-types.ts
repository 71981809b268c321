/** Port numbers and ranges, as `[from, to]`. */
export type PortRanges = readonly (readonly [from: number, to: number])[];

/** What may be done about a cause without a person. */
export type RemediationMode = 'off' | 'suggest' | 'auto';

/** When something may happen: on these days, between two times of the day (local time). */
export interface TimeWindow {
  /** 0 is Sunday. */
  readonly days: readonly number[];
  /** Minutes since midnight; `to` before `from` goes over midnight. */
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** Which incidents an alert is sent for. Every list that is absent means all. */
export interface AlertFilter {
  readonly kinds?: readonly ('failure' | 'noise' | 'warning')[];
  readonly states?: readonly ('opened' | 'updated' | 'closed')[];
  readonly causes?: readonly string[];
  readonly ports?: PortRanges;
}

interface AlertBase {
  /** For messages; the kind unless given. */
  readonly name?: string;
  readonly when: AlertFilter;
  /** Text with `{{sentence}}` and the like; what the kind takes by itself unless given. */
  readonly template?: string;
  /** At most so many in an hour; the others are counted. */
  readonly maxPerHour: number;
  readonly timeoutMs: number;
}

/** Where incidents are told. */
export type AlertConfig =
  | (AlertBase & {
      readonly kind: 'webhook';
      readonly url: string;
      readonly method: 'POST' | 'PUT';
      readonly headers: Readonly<Record<string, string>>;
      /** Signs each body with HMAC-SHA-256. */
      readonly secret?: string;
    })
  | (AlertBase & {
      readonly kind: 'command';
      /** Program and arguments; the incident comes on standard input as JSON. Never a shell string. */
      readonly command: readonly string[];
    })
  | (AlertBase & {
      readonly kind: 'syslog';
      /** `udp://host:port`, `tcp://host:port` or `unix:/dev/log`. */
      readonly to: string;
      readonly facility: string;
    })
  | (AlertBase & {
      readonly kind: 'otlp';
      /** Endpoint for logs, for example `http://collector:4318/v1/logs`. */
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    });

/** Which handshakes are looked at. */
export interface DirectionConfig {
  readonly enabled: boolean;
  /** Only these ports of the server; all when empty. */
  readonly ports: PortRanges;
  readonly ignorePorts: PortRanges;
  /** Peers that are not looked at, as `192.0.2.0/24`. */
  readonly ignoreNetworks: readonly string[];
}

/** Everything that `synscope watch` can be told; every part has a default. */
export interface WatchConfig {
  readonly listeners: DirectionConfig;
  readonly outbound: DirectionConfig;
  readonly namespaces: {
    /** Names as `--on` takes them behind `netns:`, or `local`; `*` stands for all, and at the end for any rest. */
    readonly include: readonly string[];
    readonly exclude: readonly string[];
    /** At most so many are watched at once. */
    readonly limit: number;
  };
  readonly incidents: {
    /** A failure and so many like it open an incident. */
    readonly openAfter: number;
    /** Closed when nothing failed for so long and handshakes of the service succeeded. */
    readonly closeAfterMs: number;
    /** Closed when nothing failed for so long, whatever else. */
    readonly quietAfterMs: number;
    /** An open incident that goes on is diagnosed anew after so long. */
    readonly rediagnoseAfterMs: number;
    /** Diagnoses kept with an incident. */
    readonly samples: number;
    /** Client networks kept with an incident. */
    readonly networks: number;
    /** A client that is refused or ignored on so many ports within a minute is a scan. */
    readonly scanPorts: number;
    /** More SYNs to one port in a second, of which nearly none is completed, are a flood. */
    readonly floodSyns: number;
  };
  readonly warnings: {
    readonly enabled: boolean;
    /** Share of the backlog. */
    readonly acceptQueue: number;
    /** Share of `nf_conntrack_max`. */
    readonly conntrack: number;
    /** Share of the ephemeral ports towards one server. */
    readonly ephemeralPorts: number;
    /** A default route from router advertisements ends within so long. */
    readonly routeLifetimeMs: number;
  };
  readonly retention: { readonly maxAgeMs: number; readonly maxBytes: number };
  readonly page: {
    readonly enabled: boolean;
    /** `address:port`. */
    readonly listen: string;
    /** Needed for every request when the page listens on more than loopback. */
    readonly token?: string;
    readonly tokenFile?: string;
    /** Names under which the page may be asked, beside addresses and localhost. */
    readonly names: readonly string[];
  };
  readonly metrics: {
    readonly enabled: boolean;
    /** Services that get their own labels; the others are summed up. */
    readonly services: number;
  };
  readonly alerts: readonly AlertConfig[];
  readonly remediation: {
    readonly default: RemediationMode;
    /** By the id of the cause. */
    readonly causes: Readonly<Record<string, RemediationMode>>;
    /** Kinds of change that may be made without a person. */
    readonly allowKinds: readonly string[];
    readonly maxPerHour: number;
    /** Any time when empty. */
    readonly windows: readonly TimeWindow[];
    /** After so many repairs in a row that did not help, no more are made until a person resets it. */
    readonly breakAfter: number;
    readonly dryRun: boolean;
  };
  /** How much the watch may cost. */
  readonly budget: {
    /** Handshakes of one port in a second that are looked at one by one; of more, a fixed share is. */
    readonly handshakesPerSecond: number;
  };
}
