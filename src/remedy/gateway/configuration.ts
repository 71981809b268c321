import { type Host, HostError } from '../../host/host.ts';

/** No configuration file of a network is longer. */
const MAX_CHARACTERS = 1_000_000;
const MAX_FILES = 200;

/**
 * The files of a host that configure its network. Those of the machine are about its own network namespace: of another one,
 * `/etc/netns/NAME` is what `ip netns exec` would show there as `/etc`, and there are no leases.
 */
export class Configuration {
  private readonly host: Host;
  /** Undefined for a host that has its /etc to itself. */
  private readonly namespace: string | undefined;
  private readonly texts = new Map<string, Promise<string | undefined>>();

  constructor(host: Host) {
    this.host = host;
    const { spec } = host;
    // The /etc of a container is its image's, and what configures its network is its engine.
    this.namespace = /^(?:pid|docker|pod):/.test(spec) ? ':' : /^netns:(.*)$/s.exec(spec)?.[1];
  }

  /** Where a file of the configuration lies on the machine; undefined when the host has none of its own. */
  pathOf(path: string): string | undefined {
    if (this.namespace === undefined) return path;
    if (!path.startsWith('/etc/') || /[/:]|^\d+$/.test(this.namespace)) return undefined;
    return `/etc/netns/${this.namespace}/${path.slice('/etc/'.length)}`;
  }

  /** A file by the name under which its programs know it; undefined when there is none, or it cannot be read. */
  read(path: string): Promise<string | undefined> {
    let text = this.texts.get(path);
    if (text === undefined) {
      text = this.readAnew(path);
      this.texts.set(path, text);
    }
    return text;
  }

  /** The files of a directory whose names end so, in the order of their names, with their texts. */
  async readAll(directory: string, end: RegExp): Promise<{ readonly path: string; readonly text: string }[]> {
    const real = this.pathOf(directory);
    if (real === undefined) return [];
    const names = await this.orNothing(this.host.listDirectory(real));
    const files = [];
    for (const name of (names ?? []).filter((one) => end.test(one)).slice(0, MAX_FILES)) {
      const path = `${directory}/${name}`;
      const text = await this.read(path);
      if (text !== undefined) files.push({ path, text });
    }
    return files;
  }

  private async readAnew(path: string): Promise<string | undefined> {
    const real = this.pathOf(path);
    return real === undefined ? undefined : (await this.orNothing(this.host.readFile(real)))?.slice(0, MAX_CHARACTERS);
  }

  private async orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof HostError) || error.code === 'unreachable') throw error;
      return undefined;
    }
  }
}

/** Whether a name matches one of the patterns of a configuration, with `*` and `?`. */
export function matchesName(patterns: string, name: string): boolean {
  return patterns
    .split(/\s+/)
    .filter((pattern) => pattern !== '')
    .some((pattern) => {
      const expression = pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.');
      return new RegExp(`^${expression}$`).test(name);
    });
}

/** Whether a destination in a configuration is everything. */
export function isEverything(destination: string | undefined): boolean {
  return destination === undefined || /^(default|0\.0\.0\.0\/0|::\/0)$/.test(destination);
}

/** Whether an address is of a family. */
export function isOfFamily(address: string, family: 4 | 6): boolean {
  return /^[\da-f:.]+$/i.test(address) && (family === 6 ? address.includes(':') : /^\d+\.\d+\.\d+\.\d+$/.test(address));
}

/** The sections of an INI file (systemd.syntax(7), keyfiles of NetworkManager), in their order. */
export function parseSections(
  text: string,
): { readonly name: string; readonly entries: readonly (readonly [string, string])[] }[] {
  const sections: { name: string; entries: [string, string][] }[] = [];
  for (const line of text.replaceAll('\\\n', ' ').split(/\r?\n/)) {
    const name = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (name !== undefined) sections.push({ name, entries: [] });
    const [, key, value] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) sections.at(-1)?.entries.push([key, value]);
  }
  return sections;
}
