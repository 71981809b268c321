import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { isSystemError, systemReason } from '../host/system-error.ts';

const ROOTS: readonly string[] = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const PREFIX = 'synscope-twin-';
const EVENTS: readonly string[] = ['skb/kfree_skb', 'fib/fib_table_lookup', 'fib6/fib6_table_lookup'];
/** Drops and look-ups that are kept. */
const MAX_LINES = 64;

/** What the kernel said of the packets of this process. */
export interface Traced {
  readonly drops: readonly string[];
  readonly lookups: readonly string[];
}

/** An instance of the kernel's trace that shows only what this process makes the kernel do. */
export class KernelTrace {
  private readonly path: string;
  private readonly enabled: string[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  /** Or why there is none: that takes root on the machine itself, and tracefs. */
  static open(): KernelTrace | { readonly untraced: string } {
    const root = ROOTS.find((path) => existsSync(`${path}/instances`));
    if (root === undefined) return { untraced: 'tracefs is not mounted' };
    removeLeftovers(root);
    const trace = new KernelTrace(`${root}/instances/${PREFIX}${process.pid}`);
    try {
      mkdirSync(trace.path);
    } catch (error) {
      if (isSystemError(error)) return { untraced: `tracefs: ${systemReason(error)}` };
      throw error;
    }
    for (const event of EVENTS) trace.enable(event);
    return trace;
  }

  read(): Traced {
    const text = readFileSync(`${this.path}/trace`, 'utf8');
    const drops = [...text.matchAll(/kfree_skb: .*?location=(\S+) reason: (\S+)/g)].map(
      ([, location = '', reason]) => `${reason} ${location.replace(/\+.*/, '')}`,
    );
    const lookups = [...text.matchAll(/fib6?_table_lookup: (.*)/g)].map(([, lookup = '']) => lookup);
    return { drops: drops.slice(0, MAX_LINES), lookups: lookups.slice(0, MAX_LINES) };
  }

  close(): void {
    for (const event of this.enabled) writeFileSync(`${this.path}/events/${event}/enable`, '0');
    rmdirSync(this.path);
  }

  /** A kernel may lack one of the events. */
  private enable(event: string): void {
    try {
      writeFileSync(`${this.path}/events/${event}/filter`, `common_pid==${process.pid}`);
      writeFileSync(`${this.path}/events/${event}/enable`, '1');
      this.enabled.push(event);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
}

/** Instances of processes that were killed. */
function removeLeftovers(root: string): void {
  for (const name of readdirSync(`${root}/instances`)) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      for (const event of EVENTS) writeFileSync(`${root}/instances/${name}/events/${event}/enable`, '0');
      rmdirSync(`${root}/instances/${name}`);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
}
