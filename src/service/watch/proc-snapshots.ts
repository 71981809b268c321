import { closeSync, openSync, readSync } from 'node:fs';
import type { BaselineScope } from '../../collect/facts/collector.ts';
import { counters } from '../../collect/facts/counters.ts';
import { type Baseline, readBaseline } from '../../collect/facts/gather.ts';
import { hostCounters } from '../../collect/facts/host-counters.ts';
import { type Host, HostError } from '../../host/host.ts';
import type { Enter } from '../../host/read-text.ts';
import { isSystemError } from '../../host/system-error.ts';
import { wallNs } from './wall-clock.ts';

const FILES: readonly string[] = [
  '/proc/net/netstat',
  '/proc/net/snmp',
  '/proc/net/snmp6',
  '/proc/net/xfrm_stat',
  '/proc/net/stat/nf_conntrack',
  '/proc/net/stat/synproxy',
  '/proc/net/stat/arp_cache',
  '/proc/net/stat/ndisc_cache',
  '/proc/net/softnet_stat',
];
/** Readings that are kept: an attempt is held against the latest one before it began. */
const KEPT = 6;
const buffer: Buffer = Buffer.allocUnsafeSlow(256 * 1024);

interface Snapshot {
  readonly atNs: bigint;
  readonly texts: ReadonlyMap<string, Buffer>;
}

/**
 * What the counters of a namespace said in the last seconds: their files are opened once and read again from their beginning, and only
 * understood when an attempt has failed.
 */
export class ProcSnapshots {
  private readonly files: ReadonlyMap<string, number>;
  private readonly kept: Snapshot[] = [];

  constructor(enter: Enter) {
    this.files = enter(() => new Map(FILES.flatMap(openIfAny)));
  }

  /** Reads all files now. */
  take(): void {
    const texts = new Map<string, Buffer>();
    for (const [path, fd] of this.files) {
      try {
        texts.set(path, readAll(fd));
      } catch (error) {
        if (!isSystemError(error)) throw error;
      }
    }
    this.kept.push({ atNs: wallNs(), texts });
    if (this.kept.length > KEPT) this.kept.shift();
  }

  /** The latest text of one of the files. */
  latest(path: string): string | undefined {
    return this.kept.at(-1)?.texts.get(path)?.toString('latin1');
  }

  /** The text of one of the files as it is now; nothing is kept of it. */
  read(path: string): string | undefined {
    const fd = this.files.get(path);
    if (fd === undefined) return undefined;
    try {
      return readAll(fd).toString('latin1');
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  /** The counters as they were before a time; undefined when nothing was read before it. */
  async before(atNs: bigint, scope: BaselineScope, host: Host): Promise<Baseline | undefined> {
    const snapshot = this.kept.findLast((one) => one.atNs <= atNs);
    if (snapshot === undefined) return undefined;
    return readBaseline(new SnapshotHost(host.spec, snapshot), [counters, hostCounters], scope);
  }

  close(): void {
    for (const fd of this.files.values()) closeSync(fd);
  }
}

/** Answers for files that were read earlier, and for nothing else. */
class SnapshotHost implements Host {
  readonly spec: string;
  private readonly snapshot: Snapshot;

  constructor(spec: string, snapshot: Snapshot) {
    this.spec = spec;
    this.snapshot = snapshot;
  }

  async readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    for (const path of paths) {
      const text = this.snapshot.texts.get(path)?.toString('latin1').replace(/\n$/, '');
      if (text !== undefined && text !== '') files.set(path, text);
    }
    return files;
  }

  async readFile(path: string): Promise<string> {
    const text = this.snapshot.texts.get(path);
    if (text === undefined) throw this.missing(path);
    return text.toString('latin1');
  }

  async nowNs(): Promise<bigint> {
    return this.snapshot.atNs;
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    throw this.missing(path);
  }

  async run(argv: readonly string[]): Promise<never> {
    throw this.missing(argv[0] ?? '');
  }

  stream(argv: readonly string[]): never {
    throw this.missing(argv[0] ?? '');
  }

  async capture(): Promise<never> {
    throw this.missing('a capture');
  }

  async connect(): Promise<never> {
    throw this.missing('a connection');
  }

  async close(): Promise<void> {}

  private missing(what: string): HostError {
    return new HostError('not-recorded', `${what} was not read before`);
  }
}

/** /proc/net is that of the first thread; this one may be in another namespace. */
function openIfAny(path: string): [path: string, fd: number][] {
  try {
    return [[path, openSync(path.replace('/proc/net', '/proc/thread-self/net'), 'r')]];
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
}

function readAll(fd: number): Buffer {
  let length = 0;
  for (;;) {
    const count = readSync(fd, buffer, length, buffer.length - length, length);
    length += count;
    if (count === 0 || length === buffer.length) return Buffer.from(buffer.subarray(0, length));
  }
}
