import type { GatewayEvidence } from '../../model/repair.ts';
import { type Configuration, isEverything, isOfFamily, parseSections } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';
import type { GatewaySource } from './source.ts';

const DIRECTORIES: readonly string[] = [
  '/etc/NetworkManager/system-connections',
  '/run/NetworkManager/system-connections',
  '/usr/lib/NetworkManager/system-connections',
];

/** A profile of NetworkManager. */
export interface Profile {
  readonly path: string;
  readonly text: string;
  /** By section and key. */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** The profiles of NetworkManager (nm-settings-keyfile(5)), and the files of the older network-scripts. */
export const networkManager: GatewaySource = async ({ configuration, family, devices }) => {
  const found: GatewayEvidence[] = [];
  for (const device of devices) {
    for (const profile of await profilesOf(configuration, device)) {
      for (const way of gatewaysOf(profile, family)) {
        const statement = `${profile.path} gives ${device.name} this default gateway (NetworkManager)`;
        found.push({ ...way, device: device.name, strength: 'known', statement, source: profile.path });
      }
    }
    const path = `/etc/sysconfig/network-scripts/ifcfg-${device.name}`;
    const script = await configuration.read(path);
    const key = family === 4 ? 'GATEWAY' : 'IPV6_DEFAULTGW';
    const gateway = new RegExp(`^\\s*${key}=["']?([\\da-f:.]+)`, 'mi').exec(script ?? '')?.[1];
    if (gateway !== undefined && isOfFamily(gateway, family)) {
      const statement = `${path} gives ${device.name} this default gateway`;
      found.push({ gateway, device: device.name, strength: 'known', statement, source: path });
    }
  }
  return found;
};

/** The profiles that name an interface. */
export async function profilesOf(
  configuration: Configuration,
  { name, linkAddress }: GatewayDevice,
): Promise<Profile[]> {
  const profiles: Profile[] = [];
  for (const directory of DIRECTORIES) {
    for (const { path, text } of await configuration.readAll(directory, /\.nmconnection$/)) {
      const values = new Map(parseSections(text).map((section) => [section.name, new Map(section.entries)]));
      const mac = (values.get('ethernet') ?? values.get('802-3-ethernet'))?.get('mac-address');
      if (
        values.get('connection')?.get('interface-name') === name ||
        mac?.toLowerCase() === linkAddress.toLowerCase()
      ) {
        profiles.push({ path, text, values });
      }
    }
  }
  return profiles;
}

function gatewaysOf({ values }: Profile, family: 4 | 6): { gateway: string; metric?: number }[] {
  const settings = values.get(`ipv${family}`) ?? new Map<string, string>();
  const own = settings.get('gateway');
  const metric = Number(settings.get('route-metric') ?? Number.NaN);
  const withMetric = Number.isInteger(metric) && metric >= 0 ? { metric } : {};
  return [
    ...(own !== undefined && isOfFamily(own, family) ? [{ gateway: own, ...withMetric }] : []),
    ...[...settings].flatMap(([key, value]): { gateway: string; metric?: number }[] => {
      const [what = '', via = '', third = ''] = value.split(',').map((word) => word.trim());
      if (!isOfFamily(via, family)) return [];
      // `address1=ADDRESS/LENGTH,GATEWAY`, `route1=DESTINATION/LENGTH,NEXT-HOP,METRIC`.
      if (/^address\d*$/.test(key)) return [{ gateway: via, ...withMetric }];
      if (!/^route\d+$/.test(key) || !isEverything(what)) return [];
      return [{ gateway: via, ...(/^\d+$/.test(third) ? { metric: Number(third) } : {}) }];
    }),
  ];
}
