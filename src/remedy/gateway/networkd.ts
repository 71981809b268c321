import type { GatewayEvidence } from '../../model/repair.ts';
import { type Configuration, isEverything, isOfFamily, matchesName, parseSections } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';
import type { GatewaySource } from './source.ts';

const DIRECTORIES: readonly string[] = [
  '/etc/systemd/network',
  '/run/systemd/network',
  '/usr/lib/systemd/network',
  '/lib/systemd/network',
];

type Sections = ReturnType<typeof parseSections>;

/** A `.network` file with its drop-ins. */
export interface NetworkFile {
  readonly path: string;
  readonly sections: Sections;
}

/** The configuration of systemd-networkd (systemd.network(5)). */
export const networkd: GatewaySource = async ({ configuration, family, devices }) => {
  const found: GatewayEvidence[] = [];
  for (const device of devices) {
    const file = await networkFileOf(configuration, device);
    if (file === undefined) continue;
    for (const way of gatewaysOf(file.sections, family)) {
      const statement = `${file.path} gives ${device.name} this default gateway (systemd-networkd)`;
      found.push({ ...way, device: device.name, strength: 'known', statement, source: file.path });
    }
  }
  return found;
};

/** The file that applies to an interface: the first by name whose [Match] section fits, those in /etc before others of the same name. */
export async function networkFileOf(
  configuration: Configuration,
  device: GatewayDevice,
): Promise<NetworkFile | undefined> {
  const byName = new Map<string, { path: string; text: string }>();
  for (const directory of DIRECTORIES) {
    for (const file of await configuration.readAll(directory, /\.network$/)) {
      const name = file.path.slice(directory.length + 1);
      if (!byName.has(name)) byName.set(name, file);
    }
  }
  for (const [name, { path, text }] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sections = parseSections(text);
    if (!isAbout(sections, device)) continue;
    const more: Sections = [];
    for (const directory of DIRECTORIES.toReversed()) {
      for (const dropIn of await configuration.readAll(`${directory}/${name}.d`, /\.conf$/))
        more.push(...parseSections(dropIn.text));
    }
    return { path, sections: [...sections, ...more] };
  }
  return undefined;
}

function isAbout(sections: Sections, { name, linkAddress }: GatewayDevice): boolean {
  const match = sections.filter((section) => section.name === 'Match').flatMap(({ entries }) => entries);
  if (match.length === 0) return false;
  return match.every(([key, value]) => {
    if (key === 'Name') return value.startsWith('!') ? !matchesName(value.slice(1), name) : matchesName(value, name);
    if (key === 'MACAddress' || key === 'PermanentMACAddress') {
      return value.toLowerCase().split(/\s+/).includes(linkAddress.toLowerCase());
    }
    return key === 'Type' ? !/^!?(loopback|wlan)$/.test(value) : false;
  });
}

function gatewaysOf(sections: Sections, family: 4 | 6): { gateway: string; metric?: number }[] {
  return sections.flatMap(({ name, entries }) => {
    const values = new Map(entries);
    if (name === 'Network') {
      return entries.flatMap(([key, value]) =>
        key === 'Gateway' && isOfFamily(value, family) ? [{ gateway: value }] : [],
      );
    }
    const gateway = values.get('Gateway');
    const table = values.get('Table');
    if (name !== 'Route' || gateway === undefined || !isOfFamily(gateway, family)) return [];
    if (!isEverything(values.get('Destination')) || (table !== undefined && table !== 'main' && table !== '254'))
      return [];
    const metric = Number(values.get('Metric') ?? Number.NaN);
    return [{ gateway, ...(Number.isInteger(metric) ? { metric } : {}) }];
  });
}
