import { changeCommands } from '../../model/change-commands.ts';
import { cannot, defineKind, type Kind, tryRun } from './kind.ts';

/** A systemd unit that is started, restarted or reloaded. */
export const service: Kind = defineKind<'service'>({
  kind: 'service',
  async prepare(host, change) {
    const { unit, action } = change;
    if (!/^[\w@:.\\-]+$/.test(unit) || unit.startsWith('-')) throw cannot(`"${unit}" is no name of a systemd unit`);
    const printed = await host.run(['systemctl', 'is-active', unit]);
    const before = printed.stdout.trim() || 'unknown';
    const [command = []] = changeCommands(change);
    return {
      change,
      text: `${action} ${unit} (it is ${before})`,
      do: command,
      undo: action === 'start' && before !== 'active' ? [['systemctl', 'stop', unit]] : [],
      before,
      dangers: action === 'restart' ? [`Connections of ${unit} end`] : [],
      ...(action === 'start' && before === 'active' ? { alreadySo: true as const } : {}),
      ...(action === 'start' ? {} : { cannotUndo: `a ${action} cannot be taken back` }),
    };
  },
  read: async (host, { unit }) => (await tryRun(host, ['systemctl', 'is-active', unit])).trim() || 'inactive',
});
