import { openHost } from '../host/open-host.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { type ConnectOptions, diagnoseConnect } from '../service/diagnose-connect.ts';
import { rememberFaults } from '../service/fix-memory.ts';
import type { HostCommandOptions } from './host-options.ts';
import { OutputBuffer } from './output.ts';
import { statusLine } from './status-line.ts';
import { writeReports } from './write-reports.ts';

/** Opens the host, tries to connect from it, and prints the report. */
export async function runConnect(
  options: HostCommandOptions,
  request: Omit<ConnectOptions, 'host'>,
): Promise<CaptureReport> {
  const host = await openHost(options.on, { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const report = await diagnoseConnect({ ...request, host, onStep: (text) => status.draw(text) });
    status.clear();
    rememberFaults(report, 'client');
    await writeReports(report, options, new OutputBuffer());
    return report;
  } finally {
    status.clear();
    await host.close();
  }
}
