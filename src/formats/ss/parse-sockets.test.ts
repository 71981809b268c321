import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSockets } from './parse-sockets.ts';
import type { SocketRow } from './socket-row.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/ss/${name}`, import.meta.url), 'utf8');
}

/** `address%device:port family v6only` of each row. */
function ends(rows: readonly SocketRow[]): string[] {
  return rows.map(
    ({ local, device, family, v6only }) =>
      `${local.address}${device === undefined ? '' : `%${device}`} ${local.port} v${family}${v6only ? ' only' : ''}`,
  );
}

const RECORDED = [
  '0.0.0.0 8001 v4',
  '0.0.0.0 8007 v4',
  '0.0.0.0 8007 v4',
  '0.0.0.0%lo 8006 v4',
  '127.0.0.1 8002 v4',
  '::1 8005 v6 only',
  ':: 8003 v6',
  ':: 8004 v6 only',
  '::%lo 8006 v6 only',
  '127.0.0.1 8008 v6',
];

describe('parseSockets', () => {
  test('listeners with all details', () => {
    const rows = parseSockets(fixture('6.1-listeners.txt'));
    expect(ends(rows).sort()).toEqual([...RECORDED].sort());
    expect(rows.find(({ local }) => local.port === 8002)).toMatchObject({
      state: 'LISTEN',
      family: 4,
      receiveQueue: 1,
      sendQueue: 0,
      uid: 0,
      mark: 0x2a,
      users: [{ name: 'python3' }],
      remote: { address: '0.0.0.0', port: 0 },
    });
    expect(rows.find(({ local }) => local.port === 8002)?.drops).toBeGreaterThan(0);
    expect(rows.every(({ inode, cgroup }) => inode !== undefined && cgroup === undefined)).toBe(true);
  });

  test('without details the spelling of the wildcard tells the family, and the backlog is not believed', () => {
    const rows = parseSockets(fixture('6.1-listeners-bare.txt'));
    // [::1] does not say whether it is v6-only: it takes no IPv4 either way.
    expect(ends(rows).sort()).toEqual(RECORDED.map((end) => end.replace(/^::1 8005 v6 only/, '::1 8005 v6')).sort());
    expect(
      rows.every(({ sendQueue, drops, inode, uid }) => [sendQueue, drops, inode, uid].every((x) => x === undefined)),
    ).toBe(true);
  });

  test('the cgroup where it can be named', () => {
    expect(parseSockets(fixture('6.1-host.txt'))).toMatchObject([{ cgroup: '/', sendQueue: 128, users: [] }]);
  });

  test('connections; an IPv4 peer of an IPv6 socket has an IPv4 address', () => {
    const rows = parseSockets(fixture('6.1-connections.txt'));
    expect(rows.map(({ state, local, remote }) => [state, local.port, remote.address])).toEqual([
      ['ESTAB', 8001, '198.51.100.1'],
      ['SYN-RECV', 8001, '198.51.100.1'],
      ['ESTAB', 8001, '198.51.100.1'],
      ['ESTAB', 8003, '2001:db8:5::1'],
    ]);
    expect(parseSockets('ESTAB 0 7 [::ffff:127.0.0.1]:8003 [::ffff:127.0.0.1]:44004')).toMatchObject([
      { family: 6, sendQueue: 7, local: { address: '127.0.0.1' }, remote: { address: '127.0.0.1', port: 44004 } },
    ]);
  });

  test('sockets of one state are printed without it', () => {
    expect(parseSockets(fixture('6.1-syn-recv.txt'))).toMatchObject([
      { local: { port: 8001 }, remote: { address: '198.51.100.1', port: 50123 } },
    ]);
  });

  test('iproute2 4.9: * is IPv4, no brackets', () => {
    const rows = parseSockets(fixture('4.9-listeners.txt'));
    expect(ends(rows)).toEqual([
      '0.0.0.0 22 v4',
      '127.0.0.1 5432 v4',
      '0.0.0.0%eth0 8006 v4',
      ':: 80 v6',
      ':: 22 v6 only',
      'fe80::1%eth0 9000 v6 only',
    ]);
    expect(rows[1]).toMatchObject({ receiveQueue: 3, sendQueue: 2, drops: 4, uid: 112 });
    expect(rows[0]?.drops).toBeUndefined();
    expect(rows[2]?.mark).toBe(42);
    expect(rows[3]?.users).toEqual([
      { name: 'nginx', pid: 1001 },
      { name: 'nginx', pid: 1002 },
    ]);
  });

  test('iproute2 3.16', () => {
    const rows = parseSockets(fixture('3.16-listeners.txt'));
    expect(ends(rows)).toEqual(['0.0.0.0 22 v4', ':: 22 v6']);
    expect(rows[0]?.users).toEqual([{ name: 'sshd', pid: 811 }]);
    expect(rows[0]?.sendQueue).toBe(128);
  });

  test('a process cannot forge a socket by its name', () => {
    const forged = 'LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("x\nLISTEN 0 0 *:8",pid=12,fd=3)) ino:7 sk:1';
    expect(ends(parseSockets(forged))).toEqual(['0.0.0.0 80 v4']);
  });

  test('never throws, whatever the text', () => {
    const token = fc.oneof(
      fc.constantFrom(
        'LISTEN',
        'ESTAB',
        '0',
        '128',
        '*:80',
        '[::]:80',
        ':::80',
        '0.0.0.0%lo:1',
        'users:((',
        '"a",pid=1,fd=2',
        '\n',
        '\n\t',
        'skmem:(',
        'ino:',
      ),
      fc.string(),
    );
    fc.assert(fc.property(fc.array(token), (tokens) => void parseSockets(tokens.join(' '))));
  });

  test('cut at any place, the rows before stay right', () => {
    const whole = fixture('6.1-listeners.txt');
    const all = ends(parseSockets(whole));
    for (let length = 0; length < whole.length; length += 7) {
      const complete = whole.slice(0, length).split('\nLISTEN').length - 2;
      expect(ends(parseSockets(whole.slice(0, length))).slice(0, Math.max(0, complete))).toEqual(
        all.slice(0, Math.max(0, complete)),
      );
    }
  });
});
