import { readFileSync } from 'node:fs';
import process from 'node:process';
import { type Host, HostError } from '../host/host.ts';
import type { Change } from '../model/cause.ts';

/** The way on which the one who repairs is connected to the host: a repair must not cut it. */
export interface OwnPath {
  /** Their address, as the host sees it. */
  readonly peer: string;
  /** How the host reaches it. */
  readonly device: string;
  readonly gateway?: string;
  readonly source?: string;
}

/** Finds the way back to whoever is logged in to the host; undefined when nobody is, or not through its network namespace. */
export async function readOwnPath(host: Host): Promise<OwnPath | undefined> {
  const peer = host.operator ?? (host.spec === 'local' ? peerOfSession() : undefined);
  return peer === undefined ? undefined : routeTo(host, peer);
}

/**
 * Whether the way is still there.
 * @returns why it is not; undefined when it is.
 */
export async function whyPathIsLost(host: Host, before: OwnPath): Promise<string | undefined> {
  try {
    const now = await routeTo(host, before.peer);
    if (now === undefined) return `${before.peer}, from where you are connected, cannot be reached any more`;
    if (now.device !== before.device || now.gateway !== before.gateway) {
      const way = ({ device, gateway }: OwnPath): string => (gateway === undefined ? device : `${gateway} (${device})`);
      return `your own connection from ${before.peer} would leave by ${way(now)} instead of ${way(before)}`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof HostError && (error.code === 'unreachable' || error.code === 'timed-out')) {
      return `the host does not answer any more: ${error.message}`;
    }
    throw error;
  }
}

/** Why a change must not be made because of the own connection, whatever it would do for others. */
export function cutsOwnPath(change: Change, path: OwnPath): string | undefined {
  if (change.kind === 'link' && change.setting[0] === 'down' && change.device === path.device) {
    return `you are connected through ${change.device}`;
  }
  if (change.kind === 'address' && change.action !== 'add' && change.address === path.source) {
    return `you are connected to ${change.address}`;
  }
  if (
    change.kind === 'route' &&
    change.action === 'delete' &&
    change.via !== undefined &&
    change.via === path.gateway
  ) {
    return `you are connected through ${change.via}`;
  }
  return undefined;
}

async function routeTo(host: Host, peer: string): Promise<OwnPath | undefined> {
  const { exitCode, stdout } = await host.run(['ip', '-o', 'route', 'get', peer]);
  const device = / dev (\S+)/.exec(stdout)?.[1];
  if (exitCode !== 0 || device === undefined || /^(unreachable|prohibit|blackhole) /.test(stdout)) return undefined;
  const gateway = / via (?:inet6 )?(\S+)/.exec(stdout)?.[1];
  const source = / src (\S+)/.exec(stdout)?.[1];
  return {
    peer,
    device,
    ...(gateway === undefined ? {} : { gateway }),
    ...(source === undefined ? {} : { source }),
  };
}

/** The client address of the ssh session in which this process runs; sudo takes the variable away, its parents still have it. */
function peerOfSession(): string | undefined {
  let text = process.env.SSH_CONNECTION;
  for (let pid = process.ppid, steps = 0; text === undefined && pid > 1 && steps < 32; steps += 1) {
    try {
      text = /(?:^|\0)SSH_CONNECTION=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))?.[1];
      pid = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ')[1]);
    } catch {
      return undefined;
    }
  }
  return /^([\da-f:.]+)(?:%\S+)? /i.exec(text ?? '')?.[1];
}
