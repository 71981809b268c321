import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, HostError } from '../../host/host.ts';
import type { RepairCheck } from '../../model/repair.ts';
import { wordAfter } from '../kinds/ip-words.ts';
import { tryRun } from '../kinds/kind.ts';

/** Nothing listens there (discard, RFC 863): any port would do to make the kernel look for the neighbour. */
export const GATEWAY_PROBE_PORT: number = 9;
const PATIENCE_MS = 1500;

/**
 * Whether a gateway answers ARP or neighbour discovery. A connection to it is begun, so that the kernel itself asks for its link-layer
 * address; no tool is needed for that.
 */
export async function gatewayAnswers(host: Host, gateway: string, device: string): Promise<RepairCheck> {
  const protocol = gateway.includes(':') ? 'neighbour discovery' : 'ARP';
  const address = /^fe[89ab]/i.test(gateway) ? `${gateway}%${device}` : gateway;
  let errno: string | undefined = 'none';
  try {
    errno = (await host.connect({ address, port: GATEWAY_PROBE_PORT, timeoutMs: PATIENCE_MS })).errno;
  } catch (error) {
    if (!(error instanceof HostError) || error.code === 'unreachable') throw error;
  }
  // Its kernel has answered: nothing shows better that it is there.
  if (errno === undefined || errno === 'ECONNREFUSED') {
    const words = (await entryOf(host, gateway, device)).join(' ');
    const mac = / lladdr (\S+)/.exec(` ${words}`)?.[1];
    return { ok: true, statement: `${gateway} answers on ${device}${mac === undefined ? '' : ` (${mac})`}` };
  }
  return fromCache(host, gateway, device, protocol);
}

async function fromCache(host: Host, gateway: string, device: string, protocol: string): Promise<RepairCheck> {
  const untilMs = performance.now() + PATIENCE_MS;
  let isProbed = false;
  for (;;) {
    const words = await entryOf(host, gateway, device);
    const mac = wordAfter(words, 'lladdr');
    const state = words.at(-1) ?? 'none';
    if (mac !== undefined && /^(REACHABLE|PERMANENT|NOARP)$/.test(state)) {
      return { ok: true, statement: `${gateway} answers ${protocol} on ${device} (${mac})` };
    }
    // An address of long ago says nothing of now: the kernel is to ask again.
    if (mac !== undefined && !isProbed) {
      isProbed = true;
      await tryRun(host, ['ip', 'neigh', 'change', gateway, 'lladdr', mac, 'dev', device, 'nud', 'probe']);
    }
    if (performance.now() > untilMs || state === 'FAILED') {
      return {
        ok: false,
        statement: `${gateway} does not answer ${protocol} on ${device} (its neighbour entry is ${state})`,
      };
    }
    await sleep(100);
  }
}

async function entryOf(host: Host, gateway: string, device: string): Promise<string[]> {
  const printed = await tryRun(host, ['ip', 'neigh', 'show', 'to', gateway, 'dev', device]);
  return (printed.trim().split('\n')[0] ?? '').split(/\s+/).filter((word) => word !== '');
}
