import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { writeBundle } from '../../host/bundle/bundle-file.ts';
import { BUNDLE_VERSION } from '../../host/bundle/bundle-lines.ts';
import type { Entry } from '../../host/bundle/entry.ts';
import type { RecordingHost } from '../../host/bundle/recording-host.ts';
import { REDACTED } from '../../host/bundle/redact.ts';
import { DEFAULT_SNAP_LENGTH_BYTES } from '../../host/filter-parts.ts';
import { sll2FileHeader } from '../../host/sll2-stream.ts';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';
import { parseManifest, type TraceManifest, type TracePoint } from './trace-manifest.ts';

/** Name of the file that tells what a folder of a trace holds. */
const MANIFEST = 'trace.json';
/** Such a file is small; nothing longer is one. */
const MAX_MANIFEST_BYTES = 1024 * 1024;

/** One host of a trace that is to be kept. */
export interface KeptPoint {
  readonly point: Omit<TracePoint, 'bundle' | 'pcap'>;
  /** Absent when it could not be reached. */
  readonly recording?: RecordingHost;
}

/**
 * Refuses a folder that {@link writeTraceFolder} could not make, before the trace begins.
 * @throws InputError
 */
export function checkTraceFolder(path: string): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined && (!there.isDirectory() || readdirSync(path).length > 0)) {
      throw new InputError({
        code: 'exists',
        message: `${path} is there already${there.isDirectory() ? ' and not empty' : ''}.`,
        hint: '--pcap takes the name of a new folder.',
      });
    }
    accessSync(dirname(path.replace(/\/+$/, '')), constants.W_OK);
  } catch (error) {
    throw notWritten(path, error);
  }
}

/**
 * Keeps a trace in a folder, which appears under its name only when it is complete: a pcap file and a recording of each host.
 * @throws InputError when it cannot be written.
 */
export async function writeTraceFolder(
  path: string,
  manifest: Omit<TraceManifest, 'points'>,
  kept: readonly KeptPoint[],
): Promise<void> {
  const folder = path.replace(/\/+$/, '');
  const partial = `${folder}.${process.pid}.partial`;
  try {
    mkdirSync(partial, { mode: 0o700 });
    const points: TracePoint[] = [];
    for (const [index, { point, recording }] of kept.entries()) {
      const stem = stemOf(kept, index);
      if (recording === undefined) {
        points.push(point);
        continue;
      }
      const { entries } = recording;
      const packets = capturedBy(entries);
      if (packets !== undefined) {
        const pcap = Buffer.concat([sll2FileHeader(DEFAULT_SNAP_LENGTH_BYTES), packets]);
        writeFileSync(join(partial, `${stem}.pcap`), pcap, { mode: 0o600 });
      }
      await writeBundle(join(partial, `${stem}.syn`), { header: headerOf(manifest, point), entries }, false);
      points.push({ ...point, bundle: `${stem}.syn`, ...(packets === undefined ? {} : { pcap: `${stem}.pcap` }) });
    }
    const text = `${JSON.stringify({ ...manifest, points }, undefined, 2)}\n`;
    writeFileSync(join(partial, MANIFEST), text, { mode: 0o600 });
    // An empty folder of that name is replaced.
    renameSync(partial, folder);
  } catch (error) {
    if (!(error instanceof InputError)) throw notWritten(path, error);
    // A recording could not be written: the folder is what was asked for.
    throw new InputError({ code: error.code, message: error.message.replaceAll(partial, folder) }, { cause: error });
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** File names without their ends: `client`, `via-1`, `server`. */
export function stemOf(kept: readonly KeptPoint[], index: number): string {
  const role = kept[index]?.point.role ?? 'via';
  if (role !== 'via') return role;
  const nth = kept.slice(0, index + 1).filter(({ point }) => point.role === 'via').length;
  return `via-${nth}`;
}

/** Reads what a folder says of its trace. @throws InputError when it is none. */
export function readTraceFolder(path: string): TraceManifest {
  const file = join(path, MANIFEST);
  try {
    const { size } = statSync(file);
    if (size > MAX_MANIFEST_BYTES)
      throw new InputError({ code: 'damaged', message: `${file} is too long to be one of ours.` });
    return parseManifest(file, readFileSync(file, 'utf8'));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new InputError(
      {
        code: 'no-trace',
        message: `${path} holds no trace: ${file} cannot be read (${systemReason(error)}).`,
        hint: 'synscope trace --pcap DIR writes such a folder; for captures alone: synscope compare CLIENT SERVER.',
      },
      { cause: error },
    );
  }
}

function capturedBy(entries: readonly Entry[]): Uint8Array | undefined {
  for (const { question, answer } of entries) {
    if (question.op === 'capture' && answer !== undefined && 'packets' in answer) return answer.packets;
  }
  return undefined;
}

function headerOf(
  { synscope, recordedAt, target }: Omit<TraceManifest, 'points'>,
  { spec }: KeptPoint['point'],
): Parameters<typeof writeBundle>[1]['header'] {
  return {
    format: 'synscope-bundle',
    version: BUNDLE_VERSION,
    synscope,
    recordedAt,
    on: spec,
    ports: [target.port],
    redacted: REDACTED,
    anonymized: false,
  };
}

function notWritten(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new InputError(
    { code: 'not-writable', message: `${path} cannot be written: ${systemReason(error)}.` },
    { cause: error },
  );
}
