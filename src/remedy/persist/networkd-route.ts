import type { PersistentChange } from '../../model/repair.ts';
import { networkFileOf } from '../gateway/networkd.ts';
import type { PersistQuestion } from './propose.ts';
import { readIfAny } from './write.ts';

/** A drop-in for the `.network` file that applies to the interface. */
export async function networkdRoute({
  host,
  configuration,
  device,
  route,
}: PersistQuestion): Promise<PersistentChange | undefined> {
  const file = await networkFileOf(configuration, device);
  if (file === undefined) return undefined;
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  const path = configuration.pathOf(`/etc/systemd/network/${name}.d/90-synscope.conf`);
  if (path === undefined) return undefined;
  const isDefault = route.destination === 'default';
  const lines = [
    '[Route]',
    ...(isDefault ? [] : [`Destination=${route.destination}`]),
    `Gateway=${route.via}`,
    ...(route.metric === undefined ? [] : [`Metric=${route.metric}`]),
  ];
  const current = await readIfAny(host, path);
  const section = `${lines.join('\n')}\n`;
  // What an earlier repair wrote, for the other family or another destination, stays.
  const earlier = current?.trimEnd() ?? '# Written by synscope.';
  const isThere = current?.includes(section) === true;
  return {
    system: 'systemd-networkd',
    path,
    content: isThere ? current : `${earlier}\n${section}`,
    ...(current === undefined ? {} : { current }),
    added: lines,
    statement: `systemd-networkd adds it to ${file.path}, at the next "networkctl reload" or start`,
  };
}
