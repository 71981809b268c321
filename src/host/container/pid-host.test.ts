import { execFileSync, spawn } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../host.ts';
import { LocalHost } from '../local-host.ts';
import { openHost } from '../open-host.ts';
import { CLIENT_V4, makeNamespacePair, type NamespacePair, SERVER_V4 } from '../testing/namespaces.ts';
import { readSll2 } from '../testing/sll2.ts';
import { containersMissing, type FakeContainer, startFakeContainer } from './testing/fake-container.ts';

const missing = containersMissing();
if (missing !== undefined) console.log(`skipped: hosts of processes (${missing})`);

/** What a container may contain that leads, or wants to lead, elsewhere. */
const TRAPS = `
echo "10.7.7.2 inside.synscope.test" > real-hosts
ln -s /real-hosts etc/linked
ln -s ../../../../../../../../proc/self/root/etc/passwd etc/magic
ln -s /../../../../../../etc/passwd etc/outside
mkfifo etc/pipe
mkdir etc/folder
head -c 2000000 /dev/zero > etc/long
mkdir -p run/dbus
`;

describe.skipIf(missing !== undefined)('a process in a container', () => {
  let pair: NamespacePair;
  let container: FakeContainer;
  let host: Host;
  let spec: string;

  beforeAll(async () => {
    pair = makeNamespacePair('synp');
    container = await startFakeContainer({
      namespace: pair.server,
      mounted: { hosts: '10.7.7.1 db.synscope.test\n', 'resolv.conf': 'nameserver 10.77.0.53\n' },
      prepare: TRAPS,
      environment: { https_proxy: 'http://proxy.synscope.test:3128', SYNSCOPE_OTHER: 'x' },
    });
    spec = `pid:${container.pid}`;
    process.env.HTTP_PROXY = 'http://ours.synscope.test';
    host = await openHost(spec);
  }, 30_000);
  afterAll(async () => {
    delete process.env.HTTP_PROXY;
    await host?.close();
    await container?.remove();
    pair?.remove();
  });

  it('is looked at in its network namespace', async () => {
    const before = ['net', 'uts'].map((kind) => readlinkSync(`/proc/thread-self/ns/${kind}`));
    expect(host.spec).toBe(spec);
    expect(await host.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
    expect(await host.listDirectory('/sys/class/net')).toEqual(expect.arrayContaining(['eth0', 'lo']));
    expect((await host.run(['ip', '-o', 'addr'])).stdout).toContain(SERVER_V4);
    expect(['net', 'uts'].map((kind) => readlinkSync(`/proc/thread-self/ns/${kind}`))).toEqual(before);
  });

  it('has its own name', async () => {
    expect(await host.readFile('/proc/sys/kernel/hostname')).toBe('synscope-box\n');
    expect((await host.run(['hostname'])).stdout).toBe('synscope-box\n');
  });

  it('connects and captures there', async () => {
    const capture = await host.capture({ port: 7 });
    await capture.ready;
    const outcome = await host.connect({ address: CLIENT_V4, port: 7, timeoutMs: 5000 });
    expect(outcome).toMatchObject({ errno: 'ECONNREFUSED', local: { address: SERVER_V4 } });
    capture.stop();
    const chunks: Uint8Array[] = [];
    for await (const chunk of capture.chunks) chunks.push(chunk);
    expect(readSll2(Buffer.concat(chunks)).filter(({ protocol }) => protocol === 0x800).length).toBeGreaterThanOrEqual(
      2,
    );
  });

  it('has its own files in /etc', async () => {
    expect(await host.readFile('/etc/hosts')).toBe('10.7.7.1 db.synscope.test\n');
    expect([...(await host.readFiles!(['/etc/resolv.conf', '/etc/no-such', '/proc/net/fib_trie'])).keys()]).toEqual([
      '/etc/resolv.conf',
      '/proc/net/fib_trie',
    ]);
    expect(await host.readFile('/etc/linked')).toBe('10.7.7.2 inside.synscope.test\n');
    await expect(host.readFile('/etc/nsswitch.conf')).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each([
    ['/etc/outside', 'not-found'],
    ['/etc/magic', 'not-found'],
    ['/etc/../../../etc/passwd', 'not-found'],
    ['/etc/pipe', 'failed'],
    ['/etc/folder', 'failed'],
    ['/etc/long', 'failed'],
  ])('does not let %s lead elsewhere', async (path, code) => {
    await expect(host.readFile(path)).rejects.toMatchObject({ name: 'HostError', code });
  });

  it('resolves names as its processes do', async () => {
    expect((await host.run(['getent', 'ahosts', 'db.synscope.test'])).stdout).toContain('10.7.7.1');
    // Its resolver does not know ours.
    const [, ours] = /^127\.0\.0\.1\s+(\S+)/m.exec(execFileSync('cat', ['/etc/hosts'], { encoding: 'utf8' })) ?? [];
    expect(ours).toBeDefined();
    expect((await host.run(['getent', '-s', 'files', 'hosts', ours!])).exitCode).toBe(2);
    expect((await new LocalHost().run(['getent', '-s', 'files', 'hosts', ours!])).stdout).toContain(ours);
    expect(execFileSync('cat', ['/etc/resolv.conf'], { encoding: 'utf8' })).not.toContain('10.77.0.53');
  });

  it('gives commands its proxies instead of ours', async () => {
    const { stdout } = await host.run(['env']);
    expect(stdout).toContain('https_proxy=http://proxy.synscope.test:3128');
    expect(stdout).not.toMatch(/HTTP_PROXY|SYNSCOPE_OTHER/);
  });

  it('stays when the process has ended', async () => {
    const short = await startFakeContainer({
      namespace: pair.server,
      mounted: { hosts: '10.7.7.3 late.synscope.test\n' },
    });
    const other = await openHost(`pid:${short.pid}`);
    await short.remove();
    expect(await other.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
    expect((await other.connect({ address: CLIENT_V4, port: 7, timeoutMs: 5000 })).errno).toBe('ECONNREFUSED');
    expect((await other.run(['getent', 'ahosts', 'late.synscope.test'])).stdout).toContain('10.7.7.3');
    await expect(other.readFile('/etc/os-release')).rejects.toMatchObject({ code: 'not-found' });
    await other.close();
    await expect(openHost(`pid:${short.pid}`)).rejects.toMatchObject({
      message: `There is no process ${short.pid}.`,
    });
  });

  it('may share all files with us', async () => {
    const sleeper = spawn('nsenter', [`--net=/run/netns/${pair.client}`, 'sleep', '1000'], { stdio: 'ignore' });
    await expect.poll(() => readlinkSync(`/proc/${sleeper.pid}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'));
    const shared = await openHost(`netns:pid:${sleeper.pid}`);
    expect(shared.spec).toBe(`netns:pid:${sleeper.pid}`);
    expect(await shared.readFile('/proc/net/fib_trie')).toContain(CLIENT_V4);
    expect(await shared.readFile('/etc/hosts')).toBe(execFileSync('cat', ['/etc/hosts'], { encoding: 'utf8' }));
    await shared.close();
    sleeper.kill();
  });

  it('is not taken for one that has ended but was not waited for', async () => {
    const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
    await expect.poll(() => execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' })).toContain(') Z ');
    await expect(openHost(`pid:${pid}`)).rejects.toMatchObject({ message: `Process ${pid} has ended.` });
    parent.kill();
  });
});

describe.skipIf(missing !== undefined)('a network namespace with files of its own in /etc', () => {
  it('resolves names as ip netns exec does', async () => {
    const pair = makeNamespacePair('syne');
    const folder = `/etc/netns/${pair.server}`;
    try {
      execFileSync('mkdir', ['-p', folder]);
      writeFileSync(`${folder}/hosts`, '10.7.7.4 web.synscope.test\n');
      const host = await openHost(`netns:/run/netns/${pair.server}`);
      const argv = ['getent', 'ahosts', 'web.synscope.test'];
      const expected = execFileSync('ip', ['netns', 'exec', pair.server, ...argv], { encoding: 'utf8' });
      expect(expected).toContain('10.7.7.4');
      expect((await host.run(argv)).stdout).toBe(expected);
      expect(await host.readFile('/etc/hosts')).toBe('10.7.7.4 web.synscope.test\n');
      expect(await host.readFile('/etc/passwd')).toBe(execFileSync('cat', ['/etc/passwd'], { encoding: 'utf8' }));
      await host.close();
    } finally {
      execFileSync('rm', ['-rf', folder]);
      pair.remove();
    }
  });
});

describe('what is no process', () => {
  it.each([
    'pid:',
    'pid:0',
    'pid:-1',
    'pid:x',
    'pid:1;id',
    'pid:99999999999',
    'netns:pid:self',
    'pid:1@',
    'pid:1@local',
  ])('%s', async (spec) => {
    await expect(openHost(spec)).rejects.toMatchObject({ name: 'InputError', code: 'bad-host' });
  });
});
