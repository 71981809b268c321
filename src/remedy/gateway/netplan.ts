import { parse } from 'yaml';
import type { GatewayEvidence } from '../../model/repair.ts';
import { type Configuration, isEverything, isOfFamily, matchesName } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';
import type { GatewaySource } from './source.ts';

const DIRECTORIES: readonly string[] = ['/etc/netplan', '/run/netplan', '/usr/lib/netplan', '/lib/netplan'];
const KINDS: readonly string[] = ['ethernets', 'wifis', 'bonds', 'bridges', 'vlans', 'tunnels', 'modems'];

type Values = Readonly<Record<string, unknown>>;

/** The configuration of netplan (netplan-yaml(5)). */
export const netplan: GatewaySource = async ({ configuration, family, devices }) =>
  (await netplanDefinitions(configuration, devices)).flatMap(({ path, device, definition }) =>
    gatewaysOf(definition, family).map((way) => ({ ...way, ...evidence(path, device) })),
  );

/** What netplan says of these interfaces, file by file. */
export async function netplanDefinitions(
  configuration: Configuration,
  devices: readonly GatewayDevice[],
): Promise<{ readonly path: string; readonly device: GatewayDevice; readonly definition: Values }[]> {
  const found = [];
  for (const directory of DIRECTORIES) {
    for (const { path, text } of await configuration.readAll(directory, /\.yaml$/)) {
      for (const [id, definition] of definitionsOf(text)) {
        const device = devices.find((one) => isAbout(id, definition, one));
        if (device !== undefined) found.push({ path, device, definition });
      }
    }
  }
  return found;
}

/** The interfaces that a file of netplan defines; none when it is not YAML. */
export function definitionsOf(text: string): [id: string, definition: Values][] {
  const network = valuesOf(valuesOf(parseYaml(text)).network);
  return KINDS.flatMap((kind) =>
    Object.entries(valuesOf(network[kind])).map(([id, value]): [string, Values] => [id, valuesOf(value)]),
  );
}

/** The kind under which a file defines an interface: `ethernets`, `bonds`, ... */
export function kindOfDefinition(text: string, id: string): string {
  const network = valuesOf(valuesOf(parseYaml(text)).network);
  return KINDS.find((kind) => Object.hasOwn(valuesOf(network[kind]), id)) ?? 'ethernets';
}

/** Whether a definition is about an interface. */
export function isAbout(id: string, definition: Values, device: GatewayDevice): boolean {
  const match = valuesOf(definition.match);
  const mac = match.macaddress;
  const name = match.name;
  if (definition['set-name'] === device.name) return true;
  if (typeof mac === 'string') return mac.toLowerCase() === device.linkAddress.toLowerCase();
  if (typeof name === 'string') return matchesName(name, device.name);
  return id === device.name;
}

function gatewaysOf(definition: Values, family: 4 | 6): { gateway: string; metric?: number }[] {
  const old = definition[`gateway${family}`];
  const routes = Array.isArray(definition.routes) ? definition.routes.map(valuesOf) : [];
  return [
    ...(typeof old === 'string' && isOfFamily(old, family) ? [{ gateway: old }] : []),
    ...routes.flatMap(({ to, via, metric, table }) =>
      typeof via === 'string' &&
      isOfFamily(via, family) &&
      isEverything(typeof to === 'string' ? to : '') &&
      table === undefined
        ? [{ gateway: via, ...(typeof metric === 'number' ? { metric } : {}) }]
        : [],
    ),
  ];
}

function evidence(
  path: string,
  { name }: GatewayDevice,
): Pick<GatewayEvidence, 'device' | 'strength' | 'statement' | 'source'> {
  return {
    device: name,
    strength: 'known',
    statement: `${path} gives ${name} this default gateway (netplan)`,
    source: path,
  };
}

function valuesOf(value: unknown): Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch {
    return undefined;
  }
}
