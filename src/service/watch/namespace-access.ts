import type { Host } from '../../host/host.ts';
import { holdNamespaces, type NetworkNamespace } from '../../host/network-namespace.ts';
import { openHost } from '../../host/open-host.ts';

/** One network namespace of this machine: how to ask it, and how to get sockets and files of it. */
export interface NamespaceAccess {
  /** As `--on` names it: `local`, `netns:web`, `pid:4711`. */
  readonly spec: string;
  readonly host: Host;
  /** Whether this process itself tried to connect there a moment ago, to see whether something works. */
  probed(address: string, port: number): boolean;
  /** Runs what opens a socket or a file inside the namespace. It must not wait. */
  enter<T>(run: () => T): T;
  close(): Promise<void>;
}

/**
 * Opens a namespace.
 * @param path of the file that stands for it; absent for the namespace of this process.
 * @throws when it is gone, or may not be entered.
 */
export async function openAccess(spec: string, path: string | undefined): Promise<NamespaceAccess> {
  const host = await openHost(spec);
  let held: NetworkNamespace | undefined;
  try {
    if (path !== undefined) held = holdNamespaces(`network namespace ${spec}`, [{ kind: 'net', path }]);
    // Whether it may be entered is known only after it was tried.
    held?.enter(() => undefined);
  } catch (error) {
    held?.close();
    await host.close();
    throw error;
  }
  const probes = noteProbes(host);
  return {
    spec,
    host,
    probed: (address, port) => Date.now() - (probes.get(`${address} ${port}`) ?? 0) < PROBE_MS,
    enter: (run) => (held === undefined ? run() : held.enter(run)),
    async close() {
      held?.close();
      await host.close();
    },
  };
}

/** What a probe led to is seen within so long. */
const PROBE_MS = 60_000;
const MAX_PROBES = 200;

/** Notes where a host is asked to connect to: what comes of it is no failure of anybody. */
function noteProbes(host: Host): ReadonlyMap<string, number> {
  const probes = new Map<string, number>();
  const connect = host.connect.bind(host);
  host.connect = (request) => {
    const key = `${request.address.split('%')[0]} ${request.port}`;
    probes.delete(key);
    probes.set(key, Date.now());
    const [oldest] = probes.keys();
    if (probes.size > MAX_PROBES && oldest !== undefined) probes.delete(oldest);
    return connect(request);
  };
  return probes;
}
