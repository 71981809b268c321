import { type Host, HostError } from '../../host/host.ts';

/** The address at which a client would most likely reach this host: one of the client's family, global before private, not loopback. */
export async function ownAddress(host: Host, client: string): Promise<string> {
  const v6 = client.includes(':');
  const fallback = v6 ? '::' : '0.0.0.0';
  try {
    // The kernel's own choice of a source towards the client is the best guess where there is a route.
    const { exitCode, stdout } = await host.run(['ip', '-j', v6 ? '-6' : '-4', 'route', 'get', client]);
    const chosen = exitCode === 0 ? /"prefsrc":"([^"]+)"/.exec(stdout)?.[1] : undefined;
    if (chosen !== undefined) return chosen;
    const list = await host.run(['ip', '-o', v6 ? '-6' : '-4', 'addr', 'show', 'scope', 'global']);
    return /\binet6? ([^/\s]+)/.exec(list.stdout)?.[1] ?? fallback;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return fallback;
  }
}

/** The interface through which packets from `from` come in: of its scope (`fe80::1%eth0`), or the one whose link it is on. */
export async function supposedDevice(host: Host, from: string): Promise<string | undefined> {
  const [address = from, scope] = from.split('%');
  if (scope !== undefined) return scope;
  try {
    const family = address.includes(':') ? '-6' : '-4';
    const { exitCode, stdout } = await host.run(['ip', '-j', family, 'route', 'get', address]);
    const device = exitCode === 0 ? /"dev":"([^"]+)"/.exec(stdout)?.[1] : undefined;
    if (device !== undefined) return device;
    const list = await host.run(['ip', '-o', family, 'addr', 'show', 'scope', 'global']);
    const devices = [...new Set([...list.stdout.matchAll(/^\d+: (\S+)/gm)].map(([, name]) => name))];
    return devices.length === 1 ? devices[0] : undefined;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}
