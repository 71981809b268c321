import { type Host, HostError } from '../../host/host.ts';
import type { InterfaceNames } from './sightings.ts';

/** Names of the interfaces of a host by index; empty when it cannot tell. */
export async function interfaceNames(host: Host): Promise<InterfaceNames> {
  const names = new Map<number, string>();
  try {
    const { stdout } = await host.run(['ip', '-o', 'link', 'show']);
    for (const line of stdout.split('\n')) {
      const [, index, name] = /^(\d+): ([^:@\s]+)/.exec(line) ?? [];
      if (index !== undefined && name !== undefined) names.set(Number(index), name);
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
  return names;
}
