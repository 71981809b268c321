import type { ConnectingOptions } from './connect-options.ts';
import type { HostCommandOptions } from './host-options.ts';

/** What the options of `trace` were set to. */
export interface TraceCommandOptions extends ConnectingOptions, Omit<HostCommandOptions, 'on'> {
  readonly server?: string;
  readonly client: string;
  readonly via?: readonly string[];
  readonly wait?: number | true;
  readonly attempts: number;
  readonly serverPort?: number;
  readonly pcap?: string;
  readonly from?: string;
}

/** `--wait` without a time. */
export const DEFAULT_WAIT_MS = 60_000;
