import type { Host } from '../../host/host.ts';
import type { GatewayEvidence } from '../../model/repair.ts';
import type { Configuration } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';

/** What is asked of a source: the default gateway of a family on one of these devices. */
export interface GatewayQuestion {
  readonly host: Host;
  readonly configuration: Configuration;
  readonly family: 4 | 6;
  /** Interfaces on which the gateway can be: that of the failing client first. */
  readonly devices: readonly GatewayDevice[];
}

/** One place that can tell the default gateway of a host. */
export type GatewaySource = (question: GatewayQuestion) => Promise<readonly GatewayEvidence[]>;
