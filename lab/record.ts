import { join } from 'node:path';
import { writeBundle } from '../src/host/bundle/bundle-file.ts';
import { BUNDLE_VERSION } from '../src/host/bundle/bundle-lines.ts';
import { RecordingHost } from '../src/host/bundle/recording-host.ts';
import { REDACTED } from '../src/host/bundle/redact.ts';
import type { Host } from '../src/host/host.ts';
import type { LabSide, RunOutcome } from './outcome.ts';

/** Where recordings go. */
export interface RecordTo {
  readonly folder: string;
  /** Version of synscope that records. */
  readonly synscope: string;
}

/** Asks a host, and in the end writes what it was asked and answered. */
export interface Recording {
  readonly host: Host;
  write(): Promise<void>;
}

/** Name of the bundle of one side of a run. */
export function bundleName(
  { scenario, variant, family }: Pick<RunOutcome, 'scenario' | 'variant' | 'family'>,
  side: LabSide,
): string {
  return `${scenario}${variant === undefined ? '' : `.${variant}`}.v${family}.${side}.synscope`;
}

/** Begins to record a host. */
export function startRecording(host: Host, path: string, port: number, { synscope }: RecordTo): Recording {
  const recorder = new RecordingHost(host);
  return {
    host: recorder,
    write: () =>
      writeBundle(
        path,
        {
          header: {
            format: 'synscope-bundle',
            version: BUNDLE_VERSION,
            synscope,
            recordedAt: new Date().toISOString(),
            on: host.spec,
            ports: [port],
            redacted: REDACTED,
            anonymized: false,
          },
          entries: recorder.entries,
        },
        true,
      ),
  };
}

/** Path of the bundle of one side of a run. */
export function bundlePath({ folder }: RecordTo, run: Parameters<typeof bundleName>[0], side: LabSide): string {
  return join(folder, bundleName(run, side));
}
