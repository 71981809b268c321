import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isSystemError } from '../host/system-error.ts';
import type { Notes } from './notes.ts';
import type { HostState } from './state.ts';

const ROOT = '/proc/sys/net';
const SECRET_OR_ACTING: ReadonlySet<string> = new Set(['stable_secret', 'tcp_fastopen_key', 'netdev_rss_key', 'flush']);
/** What the twin decides by itself, or what would only make noise. */
const OWN =
  /\/(addr_gen_mode|mtu|dad_transmits|accept_dad|router_solicit\w*|use_tempaddr|regen_max_retry|temp_\w+|nf_conntrack_count|nf_conntrack_max|tcp_ehash_entries|udp_hash_entries)$/;

/** All settings that this namespace has, by path below /proc/sys/net. */
export function readOwnSysctls(): Record<string, string> {
  const settings: Record<string, string> = {};
  walk('', settings);
  return settings;
}

function walk(directory: string, settings: Record<string, string>): void {
  for (const entry of readdirSync(`${ROOT}/${directory}`, { withFileTypes: true })) {
    const path = `${directory}${entry.name}`;
    if (entry.isDirectory()) walk(`${path}/`, settings);
    else if (!SECRET_OR_ACTING.has(entry.name)) {
      const value = readSysctl(path);
      if (value !== undefined) settings[path] = value;
    }
  }
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
export function buildSysctls({ sysctls }: HostState, notes: Notes): BuiltSysctls {
  const fresh = readOwnSysctls();
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
