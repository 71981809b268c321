import { stringify } from 'yaml';
import type { PersistentChange } from '../../model/repair.ts';
import { definitionsOf, isAbout, kindOfDefinition } from '../gateway/netplan.ts';
import type { PersistQuestion } from './propose.ts';
import { readIfAny } from './write.ts';

/** A file of its own for netplan, which adds the route to what others say of the interface. */
export async function netplanRoute({
  host,
  configuration,
  device,
  route,
}: PersistQuestion): Promise<PersistentChange | undefined> {
  for (const directory of ['/etc/netplan', '/run/netplan']) {
    for (const { text } of await configuration.readAll(directory, /\.yaml$/)) {
      const found = definitionsOf(text).find(([id, definition]) => isAbout(id, definition, device));
      if (found === undefined) continue;
      const [id] = found;
      const path = configuration.pathOf(`/etc/netplan/90-synscope-${device.name}.yaml`);
      if (path === undefined) return undefined;
      const { via, metric, destination, family } = route;
      // Versions before 0.104 do not know `default`.
      const everything = family === 6 ? '::/0' : '0.0.0.0/0';
      const to = destination === 'default' ? everything : destination;
      const entry = { to, via, ...(metric === undefined ? {} : { metric }) };
      const kind = kindOfDefinition(text, id);
      const current = await readIfAny(host, path);
      // What an earlier repair wrote, for the other family or another destination, stays.
      const routes = [...routesOf(current ?? '', id).filter((one) => !isSame(one, entry)), entry];
      const content = `# Written by synscope.\n${stringify({ network: { version: 2, [kind]: { [id]: { routes } } } })}`;
      return {
        system: 'netplan',
        path,
        content,
        ...(current === undefined ? {} : { current }),
        added: content.trimEnd().split('\n').slice(1),
        statement: 'netplan adds it to what its other files say of the interface, at the next "netplan apply" or start',
      };
    }
  }
  return undefined;
}

function routesOf(text: string, id: string): readonly unknown[] {
  const definition = definitionsOf(text).find(([name]) => name === id)?.[1];
  return Array.isArray(definition?.routes) ? definition.routes : [];
}

/** Whether two routes would be in each other's way. */
function isSame(one: unknown, entry: { readonly to: string; readonly metric?: number }): boolean {
  const { to, metric } = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>;
  return to === entry.to && metric === entry.metric;
}
