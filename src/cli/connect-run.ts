import { openHost } from '../host/open-host.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { type ConnectOptions, diagnoseConnect } from '../service/diagnose-connect.ts';
import type { HostCommandOptions } from './host-options.ts';
import { OutputBuffer } from './output.ts';
import { statusLine } from './status-line.ts';

/** Opens the host, tries to connect from it, and prints the report. */
export async function runConnect(
  options: HostCommandOptions,
  request: Omit<ConnectOptions, 'host'>,
): Promise<CaptureReport> {
  const host = await openHost(options.on, { sudo: options.sudo ?? false });
  const status = statusLine();
  let loading: Promise<Reporting> | undefined;
  try {
    const report = await diagnoseConnect({
      ...request,
      host,
      onStep: (text) => status.draw(text),
      // While the connection is held there is time for it.
      onConnected: () => {
        loading ??= loadReporting();
      },
    });
    const { rememberFaults, writeReports } = await (loading ?? loadReporting());
    status.clear();
    rememberFaults(report, 'client');
    await writeReports(report, options, new OutputBuffer());
    return report;
  } finally {
    status.clear();
    await host.close();
  }
}

type Reporting = typeof import('./write-reports.ts') & typeof import('../service/fix-memory.ts');

async function loadReporting(): Promise<Reporting> {
  return { ...(await import('./write-reports.ts')), ...(await import('../service/fix-memory.ts')) };
}
