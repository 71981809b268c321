import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostError } from './host.ts';
import { NetnsHost } from './netns-host.ts';
import { openHost } from './open-host.ts';
import {
  CLIENT_V4,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
} from './testing/namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: hosts in network namespaces (${missing})`);

describe.skipIf(missing !== undefined)('a network namespace', () => {
  let pair: NamespacePair;
  let host: NetnsHost;
  const own = (): string => readlinkSync('/proc/thread-self/ns/net');

  beforeAll(() => {
    pair = makeNamespacePair('synh');
    host = new NetnsHost(pair.server);
  });
  afterAll(async () => {
    await host?.close();
    pair?.remove();
  });

  it('is where files are read, and nowhere else', async () => {
    const before = own();
    expect(await host.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
    expect(await host.readFile('/proc/self/net/fib_trie')).toContain(SERVER_V4);
    expect(own()).toBe(before);
    expect(readFileSync('/proc/thread-self/net/fib_trie', 'utf8')).not.toContain(SERVER_V4);
  });

  it('has its own /proc/sys/net and its own devices', async () => {
    execFileSync('ip', ['netns', 'exec', pair.server, 'sysctl', '-qw', 'net.ipv4.tcp_syn_retries=3']);
    expect(await host.readFile('/proc/sys/net/ipv4/tcp_syn_retries')).toBe('3\n');
    expect(await host.listDirectory('/proc/sys/net/ipv4/conf')).toEqual(['all', 'default', 'eth0', 'lo']);
    expect(await host.listDirectory('/sys/class/net')).toEqual(expect.arrayContaining(['eth0', 'lo']));
    expect(await host.readFile('/sys/class/net/eth0/carrier')).toBe('1\n');
    expect((await host.run(['grep', '-H', '', '/sys/class/net/eth0/carrier'])).stdout).toBe(
      '/sys/class/net/eth0/carrier:1\n',
    );
    await expect(host.readFile('/sys/class/net/eth9/carrier')).rejects.toMatchObject({ code: 'not-found' });
    expect(await host.readFile('/proc/sys/kernel/osrelease')).toMatch(/^\d/);
  });

  it('is where many files are read at once', async () => {
    execFileSync('ip', ['netns', 'exec', pair.server, 'sysctl', '-qw', 'net.ipv4.tcp_synack_retries=4']);
    const paths = ['/proc/net/fib_trie', '/proc/sys/net/ipv4/tcp_synack_retries', '/sys/class/net/eth0/carrier', '/no'];
    const read = await host.readFiles(paths);
    expect([...read.keys()]).toEqual(paths.slice(0, 3));
    expect(read.get(paths[0]!)).toContain(SERVER_V4);
    expect([read.get(paths[1]!), read.get(paths[2]!)]).toEqual(['4', '1']);
  });

  it('is where commands and streams run', async () => {
    expect((await host.run(['ip', '-o', 'addr'])).stdout).toContain(SERVER_V4);
    let read = '';
    for await (const chunk of host.stream(['ip', '-o', 'addr']).chunks) read += Buffer.from(chunk).toString();
    expect(read).toContain(SERVER_V4);
  });

  it('is left again when something fails in it', async () => {
    const before = own();
    await expect(host.readFile('/proc/net/no-such')).rejects.toBeInstanceOf(HostError);
    await expect(host.readFile('/proc/sys/net/no-such')).rejects.toBeInstanceOf(HostError);
    await expect(host.run(['no-such-program-of-synscope'])).rejects.toMatchObject({ code: 'not-found' });
    await expect(host.listDirectory('/proc/net/tcp/x')).rejects.toMatchObject({ code: 'not-found' });
    expect(own()).toBe(before);
  });

  it('is never entered again after it was closed, whatever its descriptors stand for by then', async () => {
    const before = own();
    const other = new NetnsHost(pair.client);
    await other.close();
    await other.close();
    // These get the numbers that were given back.
    const reused = Array.from({ length: 4 }, () => openSync(`/run/netns/${pair.server}`, 'r'));
    await expect(other.readFile('/proc/net/fib_trie')).rejects.toMatchObject({ code: 'failed' });
    expect(own()).toBe(before);
    for (const fd of reused) closeSync(fd);
  });

  it('connects from there', async () => {
    const client = await openHost(`netns:${pair.client}`);
    const refused = await client.connect({ address: SERVER_V4, port: 7, timeoutMs: 2000 });
    expect(refused).toMatchObject({ errno: 'ECONNREFUSED', local: { address: CLIENT_V4 } });
    const linkLocal = await host.listDirectory('/proc/sys/net/ipv6/conf');
    expect(linkLocal).toContain('eth0');
    const address = /inet6 (fe80::\S+)\//.exec((await host.run(['ip', '-o', '-6', 'addr'])).stdout)?.[1];
    const scoped = await client.connect({ address: `${address}%eth0`, port: 7, timeoutMs: 3000 });
    expect(scoped.errno).toBe('ECONNREFUSED');
    expect((await client.connect({ address: '192.0.2.1', port: 7, timeoutMs: 2000 })).errno).toBe('ENETUNREACH');
    const silent = await client.connect({ address: '10.77.0.99', port: 7, timeoutMs: 150 });
    expect(silent.errno).toBe('TIMEDOUT-LOCAL');
    expect(silent.elapsedMs).toBeGreaterThan(100);
    await client.close();
  });

  it('can be named by path and by process', async () => {
    for (const name of [`/run/netns/${pair.server}`, `/var/run/netns/${pair.server}`]) {
      const same = await openHost(`netns:${name}`);
      expect(await same.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
      await same.close();
    }
    const ours = await openHost(`netns:pid:${process.pid}`);
    expect(await ours.readFile('/proc/net/fib_trie')).not.toContain(SERVER_V4);
    await ours.close();
  });
});

describe('names that are none', () => {
  it.each([
    ['netns:', 'bad-host'],
    ['netns:..', 'bad-host'],
    ['netns:a/b', 'bad-host'],
    ['netns:/etc/passwd', 'bad-host'],
    ['netns:/run/netns/../x', 'bad-host'],
    ['netns:no-such-namespace-of-synscope', 'not-found'],
    ['netns:pid:4194305', 'not-found'],
    ['remote', 'bad-host'],
    ['', 'bad-host'],
  ])('%s', async (spec, code) => {
    await expect(openHost(spec)).rejects.toMatchObject({ name: 'InputError', code });
  });
});
