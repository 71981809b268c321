import { openHost } from '../host/open-host.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { rememberFaults } from '../service/fix-memory.ts';
import { type ProveOptions, proveHost } from '../service/prove-host.ts';
import type { HostCommandOptions } from './host-options.ts';
import { OutputBuffer } from './output.ts';
import { statusLine } from './status-line.ts';
import { writeReports } from './write-reports.ts';

/** Opens the host, proves on a copy of it, and prints the report. */
export async function runProve(
  options: HostCommandOptions,
  request: Omit<ProveOptions, 'host'>,
): Promise<CaptureReport> {
  const host = await openHost(options.on, { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const report = await proveHost({ ...request, host, onProgress: (text) => status.draw(`${text} …`) });
    status.clear();
    if (request.role === 'server') rememberFaults(report, 'server');
    await writeReports(report, options, new OutputBuffer());
    return report;
  } finally {
    status.clear();
    await host.close();
  }
}

/** Finds which difference of two recordings breaks it, and prints the report. */
export async function runBisect(
  options: HostCommandOptions,
  request: Omit<ProveOptions, 'host'>,
  [good, bad]: readonly [string, string],
): Promise<CaptureReport> {
  const { bisectHosts } = await import('../service/prove-bisect.ts');
  const spec = (file: string): string =>
    /^(?:bundle|ssh|netns|pid|docker|pod):|^local$/.test(file) ? file : `bundle:${file}`;
  const goodHost = await openHost(spec(good), { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const badHost = await openHost(spec(bad), { sudo: options.sudo ?? false });
    try {
      const report = await bisectHosts({
        ...request,
        host: badHost,
        good: goodHost,
        onProgress: (text) => status.draw(`${text} …`),
      });
      status.clear();
      await writeReports(report, options, new OutputBuffer());
      return report;
    } finally {
      await badHost.close();
    }
  } finally {
    status.clear();
    await goodHost.close();
  }
}
