import { BundleHost } from '../host/bundle/bundle-host.ts';
import type { Asker } from './ask.ts';

const ROOT = '/proc/sys/net/';

/** All settings with one command; not those that hold keys, nor the one that acts when it is read. */
const COMMAND: readonly string[] = [
  'find',
  '/proc/sys/net',
  '-type',
  'f',
  '!',
  '-name',
  'stable_secret',
  '!',
  '-name',
  'tcp_fastopen_key',
  '!',
  '-name',
  'netdev_rss_key',
  '!',
  '-name',
  'flush',
  '-exec',
  'grep',
  '-a',
  '-s',
  '-H',
  '',
  '{}',
  '+',
];

/** More settings than a host of thousands of interfaces has. */
const MAX_SETTINGS = 500_000;

/** Settings of the kernel by path below /proc/sys/net. A recording that was not made for a twin holds some of them. */
export async function readSysctls(ask: Asker): Promise<Readonly<Record<string, string>>> {
  const { host } = ask;
  // grep ends with 1 when one of the files is empty; what it printed is good.
  const printed = await ask.printed(COMMAND);
  if (printed !== undefined) return settingsIn(printed);
  if (host instanceof BundleHost) {
    const files = host.recordedFiles(ROOT);
    if (files.size > 0) {
      ask.note('some settings of the kernel', 'the recording holds only those that `listen` asks for');
      return Object.fromEntries([...files].map(([path, value]) => [path.slice(ROOT.length), value.trim()]));
    }
  }
  ask.note('settings of the kernel', '/proc/sys/net could not be read');
  return {};
}

/** `/proc/sys/net/ipv4/ip_forward:1`, line by line; a device may have a colon in no name, a value may. */
function settingsIn(text: string): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  let count = 0;
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0 || !line.startsWith(ROOT) || count >= MAX_SETTINGS) continue;
    const path = line.slice(ROOT.length, colon);
    const value = line.slice(colon + 1).trim();
    settings[path] = path in settings ? `${settings[path]}\n${value}` : value;
    count++;
  }
  return settings;
}
