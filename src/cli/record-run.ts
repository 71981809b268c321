import { statSync } from 'node:fs';
import { anonymize } from '../host/bundle/anonymize.ts';
import { checkBundleTarget, writeBundle } from '../host/bundle/bundle-file.ts';
import { BUNDLE_VERSION } from '../host/bundle/bundle-lines.ts';
import type { Bundle } from '../host/bundle/entry.ts';
import { REDACTED } from '../host/bundle/redact.ts';
import { openHost } from '../host/open-host.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatCount } from '../model/text.ts';
import { forTerminal } from '../report/escape.ts';
import { type HostRecording, recordHost } from '../service/record-host.ts';
import { OutputBuffer } from './output.ts';
import { packageVersion } from './package-version.ts';
import type { RecordOptions } from './record.ts';
import { statusLine } from './status-line.ts';

/**
 * Records a host to a file, and says what is in it.
 * @returns false when packets were asked for and could not be captured.
 */
export async function runRecord(
  options: RecordOptions & { readonly output: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { output, on, port, from, force = false } = options;
  checkBundleTarget(output, force);
  const host = await openHost(on, { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const recording = await recordHost({
      host,
      forMs: options.for,
      signal,
      ...(port === undefined ? {} : { ports: [port] }),
      ...(from === undefined ? {} : { from }),
      onReady: (ports) =>
        status.say(`Recording ${portsText(ports)} for ${Math.round(options.for / 1000)} s; Ctrl-C ends it.`),
      onProgress: (elapsedMs, syns) =>
        status.draw(`${Math.floor(elapsedMs / 1000)} s${syns === undefined ? '' : `: ${formatCount(syns)} SYNs`}`),
    });
    status.clear();
    await writeBundle(output, bundleOf(recording, options), force);
    await tell(recording, options);
    return recording.uncaptured === undefined;
  } finally {
    status.clear();
    await host.close();
  }
}

function bundleOf({ ports, entries }: HostRecording, options: RecordOptions): Bundle {
  const bundle: Bundle = {
    header: {
      format: 'synscope-bundle',
      version: BUNDLE_VERSION,
      synscope: packageVersion(),
      recordedAt: new Date().toISOString(),
      on: options.on,
      ports,
      redacted: REDACTED,
      anonymized: false,
    },
    entries,
  };
  return options.anonymize === true ? anonymize(bundle) : bundle;
}

async function tell(recording: HostRecording, options: RecordOptions & { readonly output: string }): Promise<void> {
  const text = options.json === true ? asJson(recording, options) : asText(recording, options);
  const buffer = new OutputBuffer();
  buffer.write(text);
  buffer.flush();
}

function asText(
  recording: HostRecording,
  { output, on, anonymize: hidden, from }: RecordOptions & { readonly output: string },
): string {
  const { ports, entries, watchedMs, reports, lost, uncaptured } = recording;
  const where = on === 'local' ? '' : ` of ${on}`;
  const watched = watchedMs > 0 ? `, watched for ${(watchedMs / 1000).toFixed(1)} s` : '';
  const lines = [
    `${output} (${bytesText(statSync(output).size)}) holds ${portsText(ports)}${where}${watched}: ${formatCount(entries.length)} answers.`,
    ...(lost > 0 ? [`${formatCount(lost)} packets came too fast and are missing.`] : []),
    ...(uncaptured === undefined
      ? []
      : [`No packets are in it: ${uncaptured.reason}${uncaptured.hint === undefined ? '' : ` (${uncaptured.hint})`}.`]),
    // What was found names addresses, which the file does not.
    ...(hidden === true ? [] : reports.filter(({ summary }) => summary.failed > 0).map(({ headline }) => headline)),
    '',
    hidden === true ? 'Addresses and names in it are replaced. Judge it with:' : 'Judge it anywhere with:',
    ...ports.slice(0, 3).map((port) => {
      const client = from === undefined || hidden === true ? [] : ['--from', from];
      return `  ${quoteCommand(['synscope', 'listen', `${port}`, ...client, '--on', `bundle:${output}`])}`;
    }),
  ];
  return `${lines.map(forTerminal).join('\n')}\n`;
}

function asJson(recording: HostRecording, options: RecordOptions & { readonly output: string }): string {
  const { ports, entries, watchedMs, lost, uncaptured } = recording;
  const value = {
    schemaVersion: 1,
    command: 'record',
    file: options.output,
    fileBytes: statSync(options.output).size,
    on: options.on,
    ports,
    watchedMs,
    answers: entries.length,
    lostPackets: lost,
    anonymized: options.anonymize === true,
    redacted: REDACTED,
    ...(uncaptured === undefined ? {} : { notCaptured: uncaptured }),
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function portsText(ports: readonly number[]): string {
  if (ports.length === 1) return `port ${ports[0]}`;
  return ports.length <= 8 ? `ports ${ports.slice(0, -1).join(', ')} and ${ports.at(-1)}` : `${ports.length} ports`;
}

function bytesText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
