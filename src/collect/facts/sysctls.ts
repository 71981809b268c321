import { type Host, HostError } from '../../host/host.ts';
import { readFiles } from '../../host/read-files.ts';
import { type AttemptScope, type BaselineScope, type Collector, defineCollector, hasAttempt } from './collector.ts';
import { DEVICE_FILES_V4, DEVICE_FILES_V6, SYSCTL_FILES } from './sysctl-keys.ts';

const ROOT = '/proc/sys/net';

/** Interfaces whose settings are read at most: a host of containers has thousands. */
const DEVICES = 200;

/** Values of /proc/sys by dotted name, the ones that causes ask for. An interface keeps its name, also with a dot in it. */
export const sysctls: Collector = defineCollector<'sysctls', Readonly<Record<string, string>>>({
  provides: 'sysctls',
  baseline: false,
  async read(host, scope) {
    const [v4, v6] = await Promise.all([devicesOf(host, 'ipv4', scope), devicesOf(host, 'ipv6', scope)]);
    const files = [
      ...SYSCTL_FILES,
      ...v4.flatMap((device) => DEVICE_FILES_V4.map((name) => `ipv4/conf/${device}/${name}`)),
      ...v6.flatMap((device) => DEVICE_FILES_V6.map((name) => `ipv6/conf/${device}/${name}`)),
    ];
    const read = await readFiles(
      host,
      files.map((file) => `${ROOT}/${file}`),
    );
    if (read.size === 0) throw new HostError('not-found', `the settings of the kernel (${ROOT}) cannot be read`);
    return Object.fromEntries(
      files.flatMap((file) => {
        const value = read.get(`${ROOT}/${file}`);
        return value === undefined ? [] : [[`net.${file.replaceAll('/', '.')}`, value.trim()]];
      }),
    );
  },
  fact: (value) => ({ value, source: '/proc/sys' }),
});

/** Names below `conf`: `all`, `default` and every interface. The one of the attempt is among them however many there are. */
async function devicesOf(host: Host, family: 'ipv4' | 'ipv6', scope: BaselineScope | AttemptScope): Promise<string[]> {
  try {
    const names = (await host.listDirectory(`${ROOT}/${family}/conf`)).filter(isDeviceName);
    // As long as there are few, every attempt asks the same, so that a recording can answer it.
    if (names.length <= DEVICES) return names;
    const inDevice = hasAttempt(scope) ? scope.attempt.inDevice : undefined;
    const first = names.filter((name) => name === 'all' || name === 'default' || name === inDevice);
    return [...new Set([...first, ...names])].slice(0, DEVICES);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return [];
  }
}

/** What the kernel takes as the name of an interface (dev_valid_name()). */
function isDeviceName(name: string): boolean {
  return /^[^\s/:]{1,15}$/.test(name) && name !== '.' && name !== '..';
}
