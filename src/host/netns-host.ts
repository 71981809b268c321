import { existsSync } from 'node:fs';
import type { OwnEtc } from './container/own-etc.ts';
import { NamespaceHost } from './namespace-host.ts';
import { namespaceName, openNamespace } from './network-namespace.ts';
import { readText } from './read-text.ts';

/** A network namespace that has a name. */
export class NetnsHost extends NamespaceHost {
  /**
   * @param name as `--on netns:` takes it.
   * @throws InputError when there is no such namespace.
   */
  constructor(name: string) {
    const bare = namespaceName(name);
    super({ spec: `netns:${name}`, namespace: openNamespace(bare), etc: etcOfNamespace(bare) });
  }
}

/** What `ip netns exec` puts over the files of /etc: everything in /etc/netns/NAME (ip-netns(8)). */
function etcOfNamespace(name: string): OwnEtc {
  return {
    async readFile(path) {
      const [, entry] = /^\/etc\/([^/]+)/.exec(path) ?? [];
      const own = `/etc/netns/${name}`;
      const isOwn =
        entry !== undefined && entry !== '..' && existsSync(`${own}/${entry}`) && existsSync(`/etc/${entry}`);
      return isOwn ? readText(path.replace(/^\/etc/, own), (run) => run()) : undefined;
    },
    hiddenSockets: async () => [],
  };
}
