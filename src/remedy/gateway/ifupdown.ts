import type { GatewayEvidence } from '../../model/repair.ts';
import { type Configuration, isOfFamily } from './configuration.ts';
import type { GatewaySource } from './source.ts';

/** Directories that `source` usually names. */
const USUAL = '/etc/network/interfaces.d';
const MAIN = '/etc/network/interfaces';

/** A stanza of interfaces(5). */
export interface Stanza {
  readonly path: string;
  readonly device: string;
  readonly family: 4 | 6;
  readonly method: string;
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** The configuration of ifupdown. */
export const ifupdown: GatewaySource = async ({ configuration, family, devices }) => {
  const stanzas = await readStanzas(configuration);
  return devices.flatMap(({ name }) =>
    stanzas
      .filter((stanza) => stanza.device === name && stanza.family === family)
      .flatMap(({ path, options }) =>
        gatewaysOf(options, family).map(
          (way): GatewayEvidence => ({
            ...way,
            device: name,
            strength: 'known',
            statement: `${path} gives ${name} this default gateway (ifupdown)`,
            source: path,
          }),
        ),
      ),
  );
};

/** All stanzas, those of the files that the main one takes in as well. */
export async function readStanzas(configuration: Configuration): Promise<Stanza[]> {
  const main = await configuration.read(MAIN);
  if (main === undefined) return [];
  const files = [{ path: MAIN, text: main }];
  if (/^\s*source(-directory)?\s+(\/etc\/network\/)?interfaces\.d(\/\*)?/m.test(main)) {
    files.push(...(await configuration.readAll(USUAL, /^[\w.-]+$/)));
  }
  return files.flatMap(({ path, text }) => parseStanzas(path, text));
}

function parseStanzas(path: string, text: string): Stanza[] {
  const stanzas: (Stanza & { options: [string, string][] })[] = [];
  let current: (typeof stanzas)[number] | undefined;
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    const words = line.trim();
    if (words === '' || words.startsWith('#')) continue;
    const [, device, family, method] = /^iface\s+(\S+)\s+(inet6?)\s+(\S+)/.exec(words) ?? [];
    if (device !== undefined) {
      current = { path, device, family: family === 'inet6' ? 6 : 4, method: method ?? '', options: [] };
      stanzas.push(current);
    } else if (/^(auto|allow-\S+|mapping|source\S*|no-\S+|iface)\b/.test(words)) current = undefined;
    else {
      const [, name = '', value = ''] = /^(\S+)\s*(.*)$/.exec(words) ?? [];
      current?.options.push([name, value]);
    }
  }
  return stanzas;
}

function gatewaysOf(options: Stanza['options'], family: 4 | 6): { gateway: string; metric?: number }[] {
  const metric = Number(options.find(([name]) => name === 'metric')?.[1] ?? Number.NaN);
  return options.flatMap(([name, value]): { gateway: string; metric?: number }[] => {
    if (name === 'gateway') {
      return isOfFamily(value, family) ? [{ gateway: value, ...(Number.isInteger(metric) ? { metric } : {}) }] : [];
    }
    if (!/^(up|post-up|pre-up)$/.test(name)) return [];
    const [, via = '', own] =
      /\broute\s+(?:add|replace|append)\s+(?:default|0\.0\.0\.0\/0|::\/0)\s+via\s+(\S+)(?:.*\bmetric\s+(\d+))?/.exec(
        value,
      ) ?? [];
    return isOfFamily(via, family) ? [{ gateway: via, ...(own === undefined ? {} : { metric: Number(own) }) }] : [];
  });
}
