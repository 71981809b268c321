import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isSystemError } from '../host/system-error.ts';
import type { Notes } from './notes.ts';
import type { HostState, LinkState } from './state.ts';

const ROOT = '/proc/sys/net';
const SECRET_OR_ACTING: ReadonlySet<string> = new Set(['stable_secret', 'tcp_fastopen_key', 'netdev_rss_key', 'flush']);
/** What the twin decides by itself, or what would only make noise. */
const OWN =
  /\/(addr_gen_mode|mtu|dad_transmits|accept_dad|router_solicit\w*|use_tempaddr|regen_max_retry|temp_\w+|nf_conntrack_count|nf_conntrack_max|tcp_ehash_entries|udp_hash_entries)$/;

/**
 * All settings that this namespace has, by path below /proc/sys/net.
 * @param groupOf tells of interfaces that have the same settings the same; one of them is read then. Each has 130 files.
 */
export function readOwnSysctls(groupOf: (device: string) => string = (device) => device): Record<string, string> {
  const settings: Record<string, string> = {};
  const walk = (directory: string): void => {
    const groups = /\/(conf|neigh)\/$/.test(directory) ? new Map<string, readonly string[]>() : undefined;
    for (const entry of readdirSync(`${ROOT}/${directory}`, { withFileTypes: true })) {
      const path = `${directory}${entry.name}`;
      if (!entry.isDirectory()) readInto(settings, path);
      else if (groups === undefined) walk(`${path}/`);
      else {
        const group = groupOf(entry.name);
        const known = groups.get(group);
        if (known === undefined) groups.set(group, readInterface(settings, path));
        else for (const file of known) settings[`${path}${file.slice(file.lastIndexOf('/'))}`] = settings[file]!;
      }
    }
  };
  walk('');
  return settings;
}

/** Reads the settings of one interface; returns their paths. */
function readInterface(settings: Record<string, string>, directory: string): readonly string[] {
  const paths = readdirSync(`${ROOT}/${directory}`).map((name) => `${directory}/${name}`);
  for (const path of paths) readInto(settings, path);
  return paths.filter((path) => Object.hasOwn(settings, path));
}

function readInto(settings: Record<string, string>, path: string): void {
  if (SECRET_OR_ACTING.has(path.slice(path.lastIndexOf('/') + 1))) return;
  const value = readSysctl(path);
  if (value !== undefined) settings[path] = value;
}

/** One setting of this namespace; undefined when there is none, or it cannot be read. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`${ROOT}/${path}`, 'utf8').trim();
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Sets one setting of this namespace; false when there is none, or the kernel refuses the value. */
export function writeSysctl(path: string, value: string): boolean {
  if (path.split('/').includes('..')) return false;
  try {
    // Without O_CREAT and O_TRUNC: /proc/sys takes neither.
    writeFileSync(`${ROOT}/${path}`, value, { flag: 'r+' });
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** What {@link buildSysctls} did. */
export interface BuiltSysctls {
  /** Values before anything was set. */
  readonly fresh: Readonly<Record<string, string>>;
  /** Settings that differ on the host. */
  readonly changed: readonly string[];
}

/**
 * Gives the namespace the settings of the host, where they differ from those of a fresh one. Only paths are written that the
 * namespace itself lists: what a state holds is not trusted.
 */
export function buildSysctls({ sysctls, links }: HostState, notes: Notes): BuiltSysctls {
  const groups = new Map(links.map((link) => [link.name, freshGroupOf(link)]));
  const fresh = readOwnSysctls((device) => groups.get(device) ?? device);
  const wanted = Object.entries(fresh)
    .filter(([path]) => Object.hasOwn(sysctls, path) && !OWN.test(path))
    .map(([path, value]) => ({ path, value, want: sysctls[path] as string }))
    .sort((a, b) => rank(a.path) - rank(b.path));
  const changed = wanted.filter(({ value, want }) => value !== want).map(({ path }) => path);
  for (const { path, value, want } of wanted) if (value !== want) writeSysctl(path, want);
  // A setting for all interfaces changes those of each.
  const touched = new Set(changed.map(nameOf));
  const refused: string[] = [];
  for (const { path, want } of wanted) {
    if (!touched.has(nameOf(path)) || readSysctl(path) === want) continue;
    writeSysctl(path, want);
    if (readSysctl(path) !== want) refused.push(path);
  }
  if (refused.length > 0) {
    const more = refused.length > 5 ? ` and ${refused.length - 5} more` : '';
    notes.missing(`settings that this kernel does not take: ${refused.slice(0, 5).join(', ')}${more}`);
  }
  return { fresh, changed };
}

/**
 * Interfaces of which the settings are the same while nobody has changed them: what the kernel makes of its defaults depends on the kind
 * of device, and on the MTU, as IPv6 needs 1280 bytes (addrconf_notify(), inetdev_init()). Whether it is so is seen when the copy is
 * compared with the host.
 */
function freshGroupOf({ name, kind = '', mtuBytes = 0, linkAddress = '' }: LinkState): string {
  const isPlain = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(linkAddress) && !linkAddress.startsWith('00:00:00:00:00:00');
  return isPlain ? `${kind} of ${mtuBytes}` : name;
}

/** Keeps the kernel from making addresses, and from asking whether they are taken. */
export function quietenLinks(names: readonly string[]): void {
  for (const name of names) {
    writeSysctl(`ipv6/conf/${name}/addr_gen_mode`, '1');
    writeSysctl(`ipv6/conf/${name}/accept_dad`, '0');
    writeSysctl(`ipv6/conf/${name}/router_solicitations`, '0');
  }
}

function nameOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name === 'ip_forward' ? 'forwarding' : name;
}

function rank(path: string): number {
  if (path === 'ipv4/ip_forward') return 0;
  return path.includes('/conf/all/') ? 1 : path.includes('/conf/default/') ? 2 : 3;
}
