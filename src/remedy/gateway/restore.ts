import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { Configuration } from './configuration.ts';
import { configuredAddresses } from './configured-addresses.ts';
import { readDevices } from './devices.ts';
import { configuredGateways } from './find-gateway.ts';

/** What an interface has lost of what the configuration gives it. */
export interface Restoration {
  readonly changes: readonly Change[];
  /** Where each is known from, one sentence each. */
  readonly reasons: readonly string[];
}

/**
 * The addresses and default gateways that an interface should have by the configuration of the host and has not: what goes away when IPv6 is
 * switched off, or the link goes down. @throws HostError
 */
export async function restoreConfigured(host: Host, name: string, families: readonly (4 | 6)[]): Promise<Restoration> {
  const configuration = new Configuration(host);
  const changes: Change[] = [];
  const reasons: string[] = [];
  // `all` stands for every interface in the name of a setting.
  const devices = (await readDevices(host)).filter((one) => one.name === name || name === 'all');
  for (const [device, family] of devices.flatMap((one) => families.map((each) => [one, each] as const))) {
    for (const { address, prefixLength, source } of await configuredAddresses(configuration, device, family)) {
      if (device.prefixes.some((one) => one.address === address)) continue;
      changes.push({ kind: 'address', action: 'add', address, prefixLength, device: device.name });
      reasons.push(`${address}/${prefixLength}: ${source} gives it to ${device.name}`);
    }
    const [way] = await configuredGateways({ host, configuration, family, devices: [device] });
    if (way === undefined) continue;
    const { gateway, metric, statement } = way;
    changes.push({
      ...{ kind: 'route', action: 'add', family, destination: 'default', via: gateway, device: device.name },
      ...(metric === undefined ? {} : { metric }),
    });
    reasons.push(`${gateway}: ${statement}`);
  }
  return { changes, reasons };
}
