import { type Host, HostError } from '../../host/host.ts';

/** The ends of this host that a SYN from somewhere would most likely come to. */
export interface SupposedEnds {
  /** Own address: one of the client's family, the one that the kernel would answer from where it can tell. */
  readonly address: string;
  /** The interface through which packets of the client come in; absent when it cannot be told. */
  readonly device?: string;
}

/**
 * Where a SYN from `from` would come to. The kernel's own choice towards the client is the best guess where there is a route;
 * otherwise the only interface with a global address is.
 * @param from with the interface where the address is of one link: `fe80::1%eth0`.
 */
export async function supposedEnds(host: Host, from: string): Promise<SupposedEnds> {
  const [client = from, scope] = from.split('%');
  const v6 = client.includes(':');
  let address: string | undefined;
  let device = scope;
  try {
    const family = v6 ? '-6' : '-4';
    const { exitCode, stdout } = await host.run(['ip', '-j', family, 'route', 'get', client]);
    if (exitCode === 0) {
      address = /"prefsrc":"([^"]+)"/.exec(stdout)?.[1];
      device ??= /"dev":"([^"]+)"/.exec(stdout)?.[1];
    }
    if (address === undefined || device === undefined) {
      const list = await host.run(['ip', '-o', family, 'addr', 'show', 'scope', 'global']);
      address ??= /\binet6? ([^/\s]+)/.exec(list.stdout)?.[1];
      const devices = [...new Set([...list.stdout.matchAll(/^\d+: (\S+)/gm)].map(([, name]) => name))];
      if (devices.length === 1) device ??= devices[0];
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
  return { address: address ?? (v6 ? '::' : '0.0.0.0'), ...(device === undefined ? {} : { device }) };
}
