import { parseSomePressure, parseUptime } from '../../formats/procfs/pressure.ts';
import { parseRights } from '../../formats/procfs/process.ts';
import { HostError } from '../../host/host.ts';
import { readFiles } from '../../host/read-files.ts';
import type { Machine } from '../../model/facts/facts.ts';
import { type Collector, defineCollector } from './collector.ts';

const RELEASE = '/proc/sys/kernel/osrelease';
const HOSTNAME = '/proc/sys/kernel/hostname';
const UPTIME = '/proc/uptime';
const PRESSURE = '/proc/pressure/memory';
const STATUS = '/proc/self/status';

/** CAP_NET_ADMIN (linux/capability.h). */
const NET_ADMIN = 1n << 12n;

/** The machine itself. Rights are those of the process that reads on the host, not ours. */
export const machine: Collector = defineCollector<'machine', Machine>({
  provides: 'machine',
  baseline: false,
  async read(host) {
    const files = await readFiles(host, [RELEASE, HOSTNAME, UPTIME, PRESSURE, STATUS]);
    const kernelRelease = files.get(RELEASE)?.trim();
    if (kernelRelease === undefined)
      throw new HostError('not-found', `the kernel's release (${RELEASE}) cannot be read`);
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? [];
    const uptimeSeconds = parseUptime(files.get(UPTIME) ?? '');
    const memoryPressurePercent = parseSomePressure(files.get(PRESSURE) ?? '');
    const { effectiveUid, effectiveCapabilities } = parseRights(files.get(STATUS) ?? '');
    return {
      hostname: files.get(HOSTNAME)?.trim() || 'this host',
      kernelRelease,
      kernelVersion: [Number(major ?? 0), Number(minor ?? 0)],
      privileged: effectiveCapabilities === undefined ? effectiveUid === 0 : (effectiveCapabilities & NET_ADMIN) !== 0n,
      ...(uptimeSeconds === undefined ? {} : { uptimeSeconds }),
      ...(memoryPressurePercent === undefined ? {} : { memoryPressurePercent }),
    };
  },
  fact: (value) => ({ value, source: '/proc' }),
});
