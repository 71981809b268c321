import { describe, expect, it } from 'vitest';
import { plannedMessage } from './planned.ts';

function said(...argv: string[]): string {
  return plannedMessage(argv, '0.1.0')!;
}

describe('a command of a later version', () => {
  it('is told from a command that there will never be', () => {
    for (const name of ['listne', 'read', '', 'constructor', '--help'])
      expect(plannedMessage([name], '0.1.0')).toBe(undefined);
  });

  it('says what to do until then', () => {
    expect(said('fleet', '443').split('\n')).toEqual([
      '"fleet" is not part of version 0.1.0 yet. Until then, watch one port of one host:',
      '  sudo synscope listen 443 --for 1h --keep',
    ]);
  });

  it.each([
    ['fleet', [], 'sudo synscope listen PORT --for 1h --keep'],
    ['fleet', ['10.0.0.2:80'], 'sudo synscope listen 80 --for 1h --keep'],
    ['fleet', ['a;reboot:80'], 'sudo synscope listen PORT --for 1h --keep'],
    ['fleet', ['https://api.example.com/v1?a=b'], 'sudo synscope listen 443 --for 1h --keep'],
    ['fleet', ['http://[2001:db8::1]'], 'sudo synscope listen 80 --for 1h --keep'],
    ['fleet', ['443'], 'sudo synscope listen 443 --for 1h --keep'],
  ])('%s %j names %s', (name, args, command) => {
    expect(said(name, ...args).split('\n  ')).toContain(command);
  });

  it.each(['fleet', 'fleet'])('%s is one', (name) => {
    expect(said(name)).toContain(`"${name}" is not part of version 0.1.0 yet.`);
  });
});
