import type { PersistentChange } from '../../model/repair.ts';
import { profilesOf } from '../gateway/network-manager.ts';
import type { PersistQuestion } from './propose.ts';

/** A route more in the profile of the interface. */
export async function networkManagerRoute({
  configuration,
  device,
  route,
}: PersistQuestion): Promise<PersistentChange | undefined> {
  const profiles = await profilesOf(configuration, device);
  const profile = profiles.find(({ path }) => path.startsWith('/etc/'));
  const path = profile === undefined ? undefined : configuration.pathOf(profile.path);
  if (profile === undefined || path === undefined) return undefined;
  const section = `ipv${route.family}`;
  const taken = [...(profile.values.get(section)?.keys() ?? [])]
    .flatMap((key) => /^route(\d+)$/.exec(key)?.[1] ?? [])
    .map(Number);
  const destination = route.destination === 'default' ? (route.family === 6 ? '::/0' : '0.0.0.0/0') : route.destination;
  const line = `route${Math.max(0, ...taken) + 1}=${[destination, route.via, ...(route.metric === undefined ? [] : [route.metric])].join(',')}`;
  const lines = profile.text.split('\n');
  const at = lines.findIndex((one) => one.trim() === `[${section}]`);
  const content =
    at < 0 ? `${profile.text.trimEnd()}\n\n[${section}]\n${line}\n` : lines.toSpliced(at + 1, 0, line).join('\n');
  return {
    system: 'NetworkManager',
    path,
    content,
    current: profile.text,
    added: [line],
    statement: 'NetworkManager takes it at the next "nmcli connection reload" and activation of the profile',
  };
}
