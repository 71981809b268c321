import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sockets } from './sockets.ts';
import { sysctls } from './sysctls.ts';
import { AnsweringHost, type Answers } from './testing/answering-host.ts';
import { factOf, factValue, WATCHED } from './testing/scopes.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), 'utf8');
}

const LISTENERS = fixture('ss/6.1-listeners.txt');
const ATTEMPT = {
  ...WATCHED,
  client: { address: '198.51.100.1', port: 50123 },
  server: { address: '198.51.100.2', port: 8001 },
};
const COMMANDS = {
  'ss -l -t -n -e -m': LISTENERS,
  'ss -l -t -n -e -m -p': LISTENERS,
  'ss -a -t -n -e -p dst 198.51.100.1 or ( sport = :8001 and dport = :50123 )': fixture('ss/6.1-connections.txt'),
  'ss -t -n state syn-recv sport = :8001': fixture('ss/6.1-syn-recv.txt'),
};
const PID = /pid=(\d+)/.exec(LISTENERS)?.[1] ?? '';

describe('by ss', () => {
  test('who takes the SYN, the exact connection, half-open ones', async () => {
    const table = await factValue('sockets', [sockets], new AnsweringHost({ commands: COMMANDS }), ATTEMPT);
    expect(table.listeners).toHaveLength(10);
    expect(table.matching).toMatchObject([{ address: '0.0.0.0', port: 8001, family: 4, backlog: 5 }]);
    expect(table.exact).toMatchObject({ state: 'SYN-RECV', remote: ATTEMPT.client });
    expect(table.connections).toHaveLength(3);
    expect(table.connections[0]).toBe(table.exact);
    expect(table.synReceived).toBe(1);
    expect(table.portsInUse).toBeUndefined();
  });

  test('drops that grew, and a listener that was not there', async () => {
    const before = new AnsweringHost({
      commands: {
        'ss -l -t -n -e -m': LISTENERS.replace(/^.*:8001 .*\n.*\n/m, '').replace(/d\d+\)$/m, 'd0)'),
      },
    });
    const attempt = { ...ATTEMPT, server: { address: '127.0.0.1', port: 8002 } };
    const { listeners } = await factValue(
      'sockets',
      [sockets],
      new AnsweringHost({ commands: COMMANDS }),
      attempt,
      before,
    );
    expect(listeners.filter(({ appeared }) => appeared).map(({ port }) => port)).toEqual([8001]);
    const full = listeners.find(({ port }) => port === 8002);
    expect(full).toMatchObject({ acceptQueue: 1, backlog: 0, mark: 42 });
    expect(listeners.find(({ port }) => port === 8001)?.dropsDelta).toBeUndefined();
    expect(listeners.filter(({ port }) => port !== 8001).every(({ dropsDelta }) => dropsDelta !== undefined)).toBe(
      true,
    );
  });

  test('what /proc says of the processes behind the port', async () => {
    const files = {
      [`/proc/${PID}/comm`]: 'nginx\n',
      [`/proc/${PID}/stat`]: `${PID} (nginx) T 1 1 1\n`,
      [`/proc/${PID}/cgroup`]: '0::/system.slice/nginx.service\n',
      [`/proc/${PID}/limits`]: fixture('procfs/process-limits.txt'),
      '/sys/fs/cgroup/system.slice/nginx.service/cgroup.events': 'populated 1\nfrozen 1\n',
    };
    const commands = {
      ...COMMANDS,
      [`find /proc/${PID}/fd -maxdepth 1 -name [0-9]*`]: `/proc/${PID}/fd/0\n/proc/${PID}/fd/17\n`,
    };
    const { matching, listeners } = await factValue(
      'sockets',
      [sockets],
      new AnsweringHost({ files, commands }),
      ATTEMPT,
    );
    expect(matching[0]?.owners).toEqual([
      {
        pid: Number(PID),
        name: 'nginx',
        state: 'T',
        frozen: true,
        openFiles: 2,
        openFilesLimit: 20000,
        cgroup: '/system.slice/nginx.service',
        unit: 'nginx.service',
      },
    ]);
    expect(listeners.every(({ owners }) => owners.length === 1)).toBe(true);
  });

  test('on the client: ports in use, and no listener', async () => {
    const rows = [
      'ESTAB 0 0 192.0.2.9:40000 192.0.2.1:443',
      'TIME-WAIT 0 0 192.0.2.9:40001 192.0.2.1:443',
      'TIME-WAIT 0 0 192.0.2.9:40001 192.0.2.1:80',
      'SYN-SENT 0 1 192.0.2.9:40002 192.0.2.1:443',
    ].join('\n');
    const attempt = {
      ...WATCHED,
      side: 'client' as const,
      client: { address: '192.0.2.9', port: 40002 },
      server: { address: '192.0.2.1', port: 443 },
    };
    const host = new AnsweringHost({
      commands: {
        'ss -l -t -n -e -m -p': 'LISTEN 0 5 0.0.0.0:443 0.0.0.0:* ino:9 sk:1\n\t skmem:(r0,d0)',
        'ss -a -t -n -e -p dst 192.0.2.1 or ( sport = :40002 and dport = :443 )': rows,
      },
    });
    const table = await factValue('sockets', [sockets], host, attempt);
    expect(table).toMatchObject({ portsInUse: 3, matching: [], mismatched: [], exact: { state: 'SYN-SENT' } });
    expect(host.asked.some((line) => line.includes('syn-recv'))).toBe(false);
  });
});

describe('by /proc/net/tcp', () => {
  const files: Answers['files'] = {
    '/proc/net/tcp': fixture('procfs/tcp.txt'),
    '/proc/net/tcp6': fixture('procfs/tcp6.txt'),
    '/proc/sys/net/core/somaxconn': '128\n',
  };

  test('where there is no ss: the backlog is not known, and says so', async () => {
    const attempt = { ...ATTEMPT, server: { address: '127.0.0.1', port: 8002 } };
    const table = await factValue('sockets', [sockets, sysctls], new AnsweringHost({ files }), attempt);
    expect(table.matching).toMatchObject([{ acceptQueue: 1, backlog: 128, backlogUnknown: true, owners: [] }]);
    expect(table.matching[0]?.drops).toBeUndefined();
    const half = await factValue('sockets', [sockets, sysctls], new AnsweringHost({ files }), ATTEMPT);
    expect(half).toMatchObject({ synReceived: 1, exact: { state: 'SYN-RECV' } });
  });

  test('neither', async () => {
    expect(await factOf('sockets', [sockets], new AnsweringHost({}))).toMatchObject({ unavailable: 'not-found' });
  });
});
