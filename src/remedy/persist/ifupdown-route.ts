import type { PersistentChange } from '../../model/repair.ts';
import { readStanzas } from '../gateway/ifupdown.ts';
import type { PersistQuestion } from './propose.ts';

/** A line more in the stanza of the interface. */
export async function ifupdownRoute({
  configuration,
  device,
  route,
}: PersistQuestion): Promise<PersistentChange | undefined> {
  const stanzas = await readStanzas(configuration);
  const stanza = stanzas.find((one) => one.device === device.name && one.family === route.family);
  const text = stanza === undefined ? undefined : await configuration.read(stanza.path);
  const path = stanza === undefined ? undefined : configuration.pathOf(stanza.path);
  if (stanza === undefined || text === undefined || path === undefined) return undefined;
  const family = route.family === 6 ? 'inet6' : 'inet';
  const isHead = (line: string): boolean => {
    const [word, name, kind] = line.trim().split(/\s+/);
    return word === 'iface' && name === device.name && kind === family;
  };
  const isGateway = stanza.method === 'static' && route.destination === 'default' && route.metric === undefined;
  const metric = route.metric === undefined ? '' : ` metric ${route.metric}`;
  const line = isGateway
    ? `    gateway ${route.via}`
    : `    up ip${route.family === 6 ? ' -6' : ''} route add ${route.destination} via ${route.via} dev ${device.name}${metric}`;
  const lines = text.split('\n');
  return {
    system: 'ifupdown',
    path,
    content: lines.toSpliced(lines.findIndex(isHead) + 1, 0, line).join('\n'),
    current: text,
    added: [line],
    statement: `ifup reads it when ${device.name} comes up the next time`,
  };
}
