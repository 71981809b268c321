import type { Host } from '../../host/host.ts';
import { holdNamespaces, type NetworkNamespace } from '../../host/network-namespace.ts';
import { openHost } from '../../host/open-host.ts';

/** One network namespace of this machine: how to ask it, and how to get sockets and files of it. */
export interface NamespaceAccess {
  /** As `--on` names it: `local`, `netns:web`, `pid:4711`. */
  readonly spec: string;
  readonly host: Host;
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
  return {
    spec,
    host,
    enter: (run) => (held === undefined ? run() : held.enter(run)),
    async close() {
      held?.close();
      await host.close();
    },
  };
}
