import type { Host } from '../host/host.ts';
import { openHost } from '../host/open-host.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { formatCount } from '../model/text.ts';
import { diagnoseListen, type ListenOptions, type WatchProgress } from '../service/diagnose-listen.ts';
import { rememberFaults } from '../service/fix-memory.ts';
import type { HostCommandOptions } from './host-options.ts';
import { OutputBuffer } from './output.ts';
import { type StatusLine, statusLine } from './status-line.ts';
import { writeReports } from './write-reports.ts';

/** Opens the host, watches or asks it, and prints the report. */
export async function runListen(
  options: HostCommandOptions & { readonly prove?: boolean },
  request: Omit<ListenOptions, 'host'>,
): Promise<CaptureReport> {
  const host = await openHost(options.on, { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const where = options.on === 'local' ? '' : ` on ${options.on}`;
    const seen = await diagnoseListen({
      ...request,
      host,
      onReady: () =>
        status.say(`Watching port ${request.port}${where} for ${Math.round(request.forMs / 1000)} s; Ctrl-C ends it.`),
      onProgress: (progress) => status.draw(watchText(progress)),
    });
    const report = options.prove === true ? await proven(host, seen, status) : seen;
    status.clear();
    rememberFaults(report, 'server');
    await writeReports(report, options, new OutputBuffer());
    return report;
  } finally {
    status.clear();
    await host.close();
  }
}

/** After a Ctrl-C that ended the watch, a second one ends the process: this takes a moment only. */
async function proven(host: Host, report: CaptureReport, status: StatusLine): Promise<CaptureReport> {
  const { proveReport } = await import('../service/prove-report.ts');
  return proveReport(host, report, {
    timeoutMs: PROVE_TIMEOUT_MS,
    onProgress: (text) => status.draw(`${text} …`),
  });
}

const PROVE_TIMEOUT_MS = 20_000;

function watchText({ elapsedMs, syns, answered, failed }: WatchProgress): string {
  const failures = failed === 0 ? '' : `, ${formatCount(failed)} failed`;
  return `${Math.floor(elapsedMs / 1000)} s: ${formatCount(syns)} SYNs, ${formatCount(answered)} answered${failures}`;
}
