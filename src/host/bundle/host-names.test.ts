import { describe, expect, it } from 'vitest';
import type { Entry, Question } from './entry.ts';
import { hostNames, nameReplacer, replaceOwnName } from './host-names.ts';

function run(argv: string[], stdout: string): Entry {
  return { question: { op: 'run', argv }, watching: false, answer: { exitCode: 0, stdout, stderr: '' } };
}
function file(path: string, text: string): Entry {
  return { question: { op: 'readFile', path }, watching: false, answer: { text } };
}

describe('names', () => {
  it.each<[names: string[], entry: Entry]>([
    [['web7.corp'], file('/proc/sys/kernel/hostname', 'web7.corp\n')],
    [
      ['web7'],
      run(
        ['grep', '-H', '', '/proc/uptime', '/proc/sys/kernel/hostname'],
        '/proc/uptime:1\n/proc/sys/kernel/hostname:web7\n',
      ),
    ],
    [
      ['db', 'db.corp'],
      file('/etc/hosts', '127.0.0.1 localhost\n10.0.0.1 db db.corp # the old one\n::1 ip6-localhost\n'),
    ],
    [['corp.example', 'lan'], file('/etc/resolv.conf', 'nameserver 10.0.0.1\nsearch corp.example lan\n')],
    [['api.corp.example'], run(['getent', 'ahosts', 'api.corp.example'], '10.0.0.1 STREAM api.corp.example\n')],
    [['api'], run(['getent', 'ahosts', 'api'], '10.0.0.1 STREAM\n')],
    [['web7'], run(['uname', '-n'], 'web7\n')],
    [[], run(['ip', 'route'], 'default via 10.0.0.1 dev eth0\n')],
    [[], file('/etc/hosts', '127.0.0.1 localhost localhost.localdomain\n10.0.0.1 12.3\n')],
  ])('%j', (names, entry) => {
    expect([...hostNames([entry])].sort()).toEqual(names);
  });

  it('that mean something to a program are left alone', () => {
    const entries = [
      run(['ip', 'link', 'show'], ''),
      file('/proc/sys/net/x', ''),
      file('/etc/hosts', '10.0.0.1 link net web7\n'),
    ];
    expect(hostNames(entries)).toEqual(['web7']);
  });

  it('are replaced as whole words, the longest first', () => {
    const replace = nameReplacer(['web', 'web.corp'], (name) => `<${name}>`);
    expect(replace('web web.corp:80 webs my-web WEB. a.web')).toBe('<web> <web.corp>:80 webs my-web <WEB>. a.<web>');
  });
});

describe('the own name', () => {
  const replace = (question: Question, text: string): string => replaceOwnName(question, text, (name) => `<${name}>`);
  it('is replaced where it stands alone, whatever it is', () => {
    expect(replace({ op: 'readFile', path: '/proc/sys/kernel/hostname' }, 'net\n')).toBe('<net>\n');
    expect(replace({ op: 'readFile', path: '/proc/sys/kernel/osrelease' }, 'net\n')).toBe('net\n');
    expect(replace({ op: 'run', argv: ['uname', '-n'] }, 'net\n')).toBe('<net>\n');
    expect(replace({ op: 'run', argv: ['uname', '-r'] }, '6.1\n')).toBe('6.1\n');
    const lines = '/proc/uptime:1\n/proc/sys/kernel/hostname:net\n/etc/hostname:localhost\n';
    expect(replace({ op: 'run', argv: ['grep', '-H', ''] }, lines)).toBe(lines.replace(':net', ':<net>'));
  });
});
