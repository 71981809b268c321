import { InputError } from '../../model/errors.ts';
import type { ConnectTarget } from '../diagnose-connect.ts';
import type { PointRole } from './watched-point.ts';

/** One host of a trace that was kept. */
export interface TracePoint {
  readonly role: PointRole;
  readonly name: string;
  /** As the command line named it. */
  readonly spec: string;
  /** File names in the folder; absent when the host could not be reached, or captured nothing. */
  readonly bundle?: string;
  readonly pcap?: string;
  /** Why it could not be reached. */
  readonly missing?: { readonly reason: string; readonly hint?: string };
}

/** What a folder of a trace says of it. */
export interface TraceManifest {
  readonly format: 'synscope-trace';
  readonly version: 1;
  /** Version of synscope that wrote it. */
  readonly synscope: string;
  /** ISO 8601. */
  readonly recordedAt: string;
  readonly target: ConnectTarget;
  readonly attempts: number;
  readonly waitMs?: number;
  readonly timeoutMs: number;
  readonly holdMs: number;
  readonly family?: 4 | 6;
  readonly serverPort?: number;
  readonly points: readonly TracePoint[];
}

const MAX_POINTS = 64;
const MAX_TEXT = 4096;

/**
 * Reads the file that tells what a folder of a trace holds. It may come from anybody: file names in it stay within the folder.
 * @throws InputError when it is none, or a newer synscope wrote it.
 */
export function parseManifest(file: string, text: string): TraceManifest {
  const read = new Fields(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw read.damaged('it is no JSON');
  }
  const root = read.object(value, 'the whole');
  if (root.format !== 'synscope-trace') throw read.damaged('it is no trace of synscope');
  if (root.version !== 1) throw read.damaged('a newer synscope wrote it; use that version or a later one');
  const target = read.object(root.target, 'target');
  const points = Array.isArray(root.points) ? root.points : [];
  if (points.length < 2 || points.length > MAX_POINTS) throw read.damaged('it names too few hosts, or too many');
  const manifest: TraceManifest = {
    format: 'synscope-trace',
    version: 1,
    synscope: read.text(root.synscope, 'synscope'),
    recordedAt: read.text(root.recordedAt, 'recordedAt'),
    target: {
      name: read.text(target.name, 'target.name'),
      port: read.number(target.port, 'target.port', 1, 65_535),
      ...(target.scheme === undefined ? {} : { scheme: read.text(target.scheme, 'target.scheme') }),
    },
    attempts: read.number(root.attempts, 'attempts', 1, 1000),
    timeoutMs: read.number(root.timeoutMs, 'timeoutMs', 0, 1e9),
    holdMs: read.number(root.holdMs, 'holdMs', 0, 1e9),
    ...(root.waitMs === undefined ? {} : { waitMs: read.number(root.waitMs, 'waitMs', 0, 1e9) }),
    ...(root.family === 4 || root.family === 6 ? { family: root.family } : {}),
    ...(root.serverPort === undefined ? {} : { serverPort: read.number(root.serverPort, 'serverPort', 1, 65_535) }),
    points: points.map((point) => read.point(point)),
  };
  const roles = manifest.points.map(({ role }) => role);
  const ends = roles[0] === 'client' && roles.at(-1) === 'server' && roles.slice(1, -1).every((role) => role === 'via');
  if (!ends) throw read.damaged('its hosts do not go from a client to a server');
  return manifest;
}

class Fields {
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  damaged(why: string): InputError {
    return new InputError({ code: 'damaged', message: `${this.file} cannot be used: ${why}.` });
  }

  object(value: unknown, name: string): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.damaged(`${name} is no object`);
    return value as Readonly<Record<string, unknown>>;
  }

  text(value: unknown, name: string): string {
    if (typeof value !== 'string' || value.length > MAX_TEXT) throw this.damaged(`${name} is no text`);
    return value;
  }

  number(value: unknown, name: string, least: number, most: number): number {
    if (typeof value !== 'number' || !(value >= least && value <= most))
      throw this.damaged(`${name} is no number of that kind`);
    return value;
  }

  point(value: unknown): TracePoint {
    const { role, name, spec, bundle, pcap, missing } = this.object(value, 'a host');
    if (role !== 'client' && role !== 'via' && role !== 'server') throw this.damaged('a host has no part in it');
    const why = missing === undefined ? undefined : this.object(missing, 'missing');
    return {
      role,
      name: this.text(name, 'the name of a host'),
      spec: this.text(spec, 'the spec of a host'),
      ...(bundle === undefined ? {} : { bundle: this.fileName(bundle) }),
      ...(pcap === undefined ? {} : { pcap: this.fileName(pcap) }),
      ...(why === undefined
        ? {}
        : {
            missing: {
              reason: this.text(why.reason, 'the reason why a host is missing'),
              ...(why.hint === undefined ? {} : { hint: this.text(why.hint, 'a hint') }),
            },
          }),
    };
  }

  private fileName(value: unknown): string {
    const name = this.text(value, 'the name of a file');
    if (!/^[\w-]+\.\w+$/.test(name)) throw this.damaged('it names a file outside of its folder');
    return name;
  }
}
