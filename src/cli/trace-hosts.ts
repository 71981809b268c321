import process from 'node:process';
import type { Host } from '../host/host.ts';
import { openHost } from '../host/open-host.ts';
import { InputError } from '../model/errors.ts';
import type { TraceHost } from '../service/trace/trace-target.ts';
import type { PointRole } from '../service/trace/watched-point.ts';
import { ASKS } from './trace-progress.ts';

/** A host of a trace as the command line names it. */
export interface TraceHostSpec {
  readonly role: PointRole;
  readonly spec: string;
}

/** How the hosts of a trace are opened. */
export interface OpenTraceOptions {
  readonly sudo: boolean;
  /** Gets each host as it was opened, and gives the one to use: to record it. */
  readonly wrap?: (host: Host, role: PointRole, index: number) => Host;
  readonly onState: (name: string, state: string) => void;
}

/** Short and unique names for hosts, for sentences: `web7` of `ssh:root@web7:22`, `a` of `netns:a`, `client` of `local`. */
export function hostNames(specs: readonly TraceHostSpec[]): string[] {
  const bare = specs.map(({ role, spec }) => (spec === 'local' ? role : shortName(spec)));
  return bare.map((name, index) => {
    if (bare.filter((other) => other === name).length === 1) return name;
    const { role } = specs[index] as TraceHostSpec;
    const alike = specs.slice(0, index).filter((other, at) => other.role === role && bare[at] === name).length;
    return `${role === 'via' && alike > 0 ? `${role} ${alike + 1}` : role} ${name}`;
  });
}

function shortName(spec: string): string {
  const rest = spec.slice(spec.indexOf(':') + 1);
  if (spec.startsWith('bundle:')) return rest.split('/').at(-1) ?? rest;
  // Of a container on another machine, its own name.
  const target = spec.startsWith('ssh:') ? rest.replace(/^[^@]*@/, '') : rest.replace(/@ssh:.*$/, '');
  return target.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([^:]*):\d+$/, '$1') || spec;
}

/**
 * Opens all hosts side by side. One that cannot be reached is told as missing; one that cannot be meant ends it all.
 * @throws InputError
 */
export async function openTraceHosts(specs: readonly TraceHostSpec[], options: OpenTraceOptions): Promise<TraceHost[]> {
  const names = hostNames(specs);
  const results = await Promise.allSettled(
    specs.map(async ({ spec, role }, index): Promise<TraceHost> => {
      const name = names[index] as string;
      options.onState(name, 'opening');
      try {
        const host = await openQuietly(spec, options, () => options.onState(name, ASKS));
        options.onState(name, 'open');
        return { role, name, host: options.wrap?.(host, role, index) ?? host };
      } catch (error) {
        if (!isOutOfReach(error, spec)) throw error;
        options.onState(name, 'not reached');
        const hint = error.hint === undefined ? {} : { hint: error.hint };
        return { role, name, host: { missing: { reason: `${name}: ${error.message.replace(/\.$/, '')}`, ...hint } } };
      }
    }),
  );
  const failed = results.find((one) => one.status === 'rejected');
  const hosts = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (failed === undefined) return hosts;
  await closeTraceHosts(hosts);
  throw failed.reason;
}

/** Hosts that may ask for a password do so one after the other. */
let asking: Promise<unknown> = Promise.resolve();

/** Opens a host without a question; where that does not do, ssh may ask, when all others before it have. */
async function openQuietly(spec: string, { sudo }: OpenTraceOptions, onAsk: () => void): Promise<Host> {
  try {
    return await openHost(spec, { sudo, mayAsk: false });
  } catch (error) {
    const canAsk = process.stdin.isTTY === true && process.stderr.isTTY === true;
    if (!canAsk || !(error instanceof InputError) || !/Permission denied|verification failed/.test(error.message))
      throw error;
    const turn = asking.then(() => {
      onAsk();
      return openHost(spec, { sudo });
    });
    asking = turn.catch(() => {});
    return turn;
  }
}

/** Closes all that were opened. */
export async function closeTraceHosts(hosts: readonly TraceHost[]): Promise<void> {
  await Promise.allSettled(hosts.map(({ host }) => ('missing' in host ? undefined : host.close())));
}

/** Whether a host is named rightly, but cannot be reached now: the others can still be asked. */
function isOutOfReach(error: unknown, spec: string): error is InputError {
  return error instanceof InputError && error.code !== 'bad-host' && /^(?:ssh|pod|docker):/.test(spec);
}
