/** What the options of `trace` were set to. */
export interface TraceCommandOptions {
  readonly server?: string;
  readonly client: string;
  readonly via?: readonly string[];
  readonly wait?: number | true;
  readonly attempts: number;
  readonly serverPort?: number;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly for: number;
  readonly hold: number;
  readonly pcap?: string;
  readonly from?: string;
  readonly sudo?: boolean;
  readonly json?: boolean;
  readonly html?: string;
  readonly verbose: number;
}

/** `--wait` without a time. */
export const DEFAULT_WAIT_MS = 60_000;
