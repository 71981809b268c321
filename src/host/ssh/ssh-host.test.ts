import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, HostError } from '../host.ts';
import { LocalHost } from '../local-host.ts';
import { openHost } from '../open-host.ts';
import { readSll2, type Sll2Packet } from '../testing/sll2.ts';
import { type SshServer, sshMissing, startSshServer } from '../testing/ssh-server.ts';

const missing = sshMissing();
if (missing !== undefined) console.log(`skipped: hosts over ssh (${missing})`);

describe.skipIf(missing !== undefined)('a host over ssh', () => {
  const local = new LocalHost();
  const path = process.env.PATH;
  let server: SshServer;
  let host: Host;

  beforeAll(async () => {
    server = await startSshServer();
    process.env.PATH = `${server.bin}:${path}`;
    host = await openHost(server.spec);
  });
  afterAll(async () => {
    await host?.close();
    process.env.PATH = path;
    await server?.stop();
  });

  async function failure(promise: Promise<unknown>): Promise<HostError> {
    const error = await promise.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HostError);
    return error as HostError;
  }

  it('reads files and directories', async () => {
    expect(await host.readFile('/proc/sys/kernel/osrelease')).toBe(await local.readFile('/proc/sys/kernel/osrelease'));
    expect(await host.listDirectory('/proc/sys/net/ipv4/conf')).toEqual(
      await local.listDirectory('/proc/sys/net/ipv4/conf'),
    );
    expect(await failure(host.readFile('/no/such'))).toMatchObject({
      code: 'not-found',
      message: 'cannot read /no/such: No such file or directory',
    });
    expect((await failure(host.listDirectory('/no/such'))).code).toBe('not-found');
    expect((await failure(host.readFile('/proc'))).code).toBe('failed');
  });

  it('runs commands with exactly their arguments', async () => {
    const odd = ['a b', '$HOME', '`id`', "it's", '"', '', '*', 'new\nline', '\\', '--', '~', '!x', 'ä', '#', ';', '&'];
    const { stdout, exitCode } = await host.run(['printf', '%s|', ...odd]);
    expect([exitCode, stdout]).toEqual([0, odd.map((word) => `${word}|`).join('')]);
  });

  it('gives exit code, outputs and errors as a local host does', async () => {
    const argv = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
    expect(await host.run(argv)).toEqual(await local.run(argv));
    expect((await host.run(['cat'], { input: 'hello' })).stdout).toBe('hello');
    expect((await host.run(['sh', '-c', 'echo $LC_ALL $PATH'])).stdout).toMatch(/^C .*:\/usr\/sbin:\/sbin\n$/);
    expect(await failure(host.run(['no-such-program-of-synscope']))).toMatchObject({
      code: 'not-found',
      message: 'there is no no-such-program-of-synscope on 127.0.0.1',
    });
    expect((await failure(host.run(['/etc/passwd']))).code).toBe('no-permission');
    expect((await host.run(['sh', '-c', 'exit 255'])).exitCode).toBe(255);
    expect((await failure(host.run(['sleep', '60'], { timeoutMs: 300 }))).message).toBe(
      'sleep did not end within 0.3 s',
    );
    expect((await failure(host.run(['yes'], { maxBytes: 100_000 }))).message).toBe('yes wrote more than 100000 bytes');
    expect((await failure(host.run(['echo', 'x'.repeat(200_000)]))).message).toBe('the command echo … is too long');
  });

  it('does many things at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => host.run(['sh', '-c', `sleep 0.1; echo ${index}`])),
    );
    expect(answers.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  it('streams, and leaves nothing behind', async () => {
    const mark = `67.${process.pid}`;
    const stream = host.stream(['sh', '-c', `echo first; sleep ${mark}; echo never`]);
    let read = '';
    for await (const chunk of stream.chunks) {
      read += Buffer.from(chunk).toString();
      stream.stop();
    }
    expect(read).toBe('first\n');
    expect((await host.run(['ps', '-eo', 'args'])).stdout).not.toContain(`sleep ${mark}\n`);
    const whole = host.stream(['printf', 'a\\nb']);
    read = '';
    for await (const chunk of whole.chunks) read += Buffer.from(chunk).toString();
    expect(read).toBe('a\nb');
    await expect(
      (async () => {
        for await (const _ of host.stream(['sh', '-c', 'echo bad luck >&2; exit 4']).chunks);
      })(),
    ).rejects.toMatchObject({ message: 'sh ended with exit code 4: bad luck' });
  });

  it('ends what streams on the other side', async () => {
    const program = ['tail', '-f', `/dev/null`, '--pid', `${process.pid}`];
    const stream = host.stream(program);
    const reading = (async () => {
      for await (const _ of stream.chunks);
    })();
    const isRunning = async (): Promise<boolean> =>
      (await host.run(['ps', '-eo', 'args'])).stdout.split('\n').includes(program.join(' '));
    for (let tries = 0; !(await isRunning()) && tries < 50; tries++) await sleep(50);
    expect(await isRunning()).toBe(true);
    stream.stop();
    await reading;
    expect(await isRunning()).toBe(false);
  });

  it('captures with tcpdump', async ({ skip }) => {
    if (spawnSync('tcpdump', ['--version']).status !== 0) skip('needs tcpdump');
    const capture = await host.capture({ port: 9 });
    await local.connect({ address: '127.0.0.1', port: 9, timeoutMs: 1000 });
    await local.connect({ address: '::1', port: 9, timeoutMs: 1000 });
    await local.connect({ address: '127.0.0.1', port: 10, timeoutMs: 1000 });
    const chunks: Uint8Array[] = [];
    const flags = ({ bytes }: Sll2Packet): number => bytes[(bytes[0]! >>> 4 === 4 ? 20 : 40) + 13]! & 0x17;
    const packets = (): Sll2Packet[] =>
      readSll2(Buffer.concat(chunks)).filter(({ bytes }) => (bytes[0]! >>> 4 === 4 ? bytes[9] : bytes[6]) === 6);
    for await (const chunk of capture.chunks) {
      chunks.push(chunk);
      if (packets().length >= 4) capture.stop();
    }
    expect(packets().map((one) => `${one.protocol.toString(16)} ${flags(one)}`)).toEqual([
      ...['800 2', '800 20', '86dd 2', '86dd 20'],
    ]);
    expect(Math.abs(Number(packets()[0]!.timeNs / 1_000_000n) - Date.now())).toBeLessThan(20_000);
    expect(capture.lost()).toBe(0);
  });

  it('does not capture its own connection', async ({ skip }) => {
    if (spawnSync('tcpdump', ['--version']).status !== 0) skip('needs tcpdump');
    const capture = await host.capture({});
    await host.run(['true']);
    await local.connect({ address: '127.0.0.1', port: 9, timeoutMs: 1000 });
    const chunks: Uint8Array[] = [];
    const ports = (): number[] =>
      readSll2(Buffer.concat(chunks))
        .filter(({ bytes }) => bytes[0]! >>> 4 === 4 && bytes[9] === 6)
        .flatMap(({ bytes }) => [bytes[20]! * 256 + bytes[21]!, bytes[22]! * 256 + bytes[23]!]);
    for await (const chunk of capture.chunks) {
      chunks.push(chunk);
      // What went to the host before comes first.
      if (ports().includes(9)) capture.stop();
    }
    expect(ports()).toContain(9);
    expect(ports()).not.toContain(server.port);
  });

  it('connects from there', async ({ skip }) => {
    if (spawnSync('python3', ['-V']).status !== 0) skip('needs Python 3');
    const greeter = createServer((socket) => socket.on('error', () => {}).end('220 hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => greeter.once('listening', resolve));
    const { port } = greeter.address() as { readonly port: number };
    const outcome = await host.connect({ address: '127.0.0.1', port, timeoutMs: 2000, holdMs: 500, ttl: 9 });
    expect(outcome).toMatchObject({ afterwards: 'data', local: { address: '127.0.0.1' } });
    expect((await host.connect({ address: '::1', port: 9, timeoutMs: 2000 })).errno).toBe('ECONNREFUSED');
    greeter.close();
  });

  it('knows the time there', async () => {
    expect(Math.abs(Number((await host.nowNs()) / 1_000_000n) - Date.now())).toBeLessThan(500);
  });

  it('through sudo, where that is allowed', async ({ skip }) => {
    if (spawnSync('sudo', ['-n', 'true']).status !== 0) skip('needs sudo');
    const asRoot = await openHost(server.spec, { sudo: true });
    expect((await asRoot.run(['id', '-u'])).stdout).toBe('0\n');
    await asRoot.close();
  });

  it('says in one sentence why it cannot be reached', async () => {
    await expect(openHost('ssh:root@127.0.0.1:1')).rejects.toMatchObject({
      name: 'InputError',
      code: 'unreachable',
      message: expect.stringMatching(/^root@127\.0\.0\.1:1 cannot be reached: .*Connection refused\.$/),
    });
    await expect(openHost(`ssh:nobody@127.0.0.1:${server.port}`)).rejects.toMatchObject({
      message: expect.stringContaining('Permission denied'),
      hint: expect.any(String),
    });
  });

  it('notices that the connection is gone, and cleans up', async () => {
    const other = await openHost(server.spec);
    await other.close();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`synscope-ssh-${process.pid}-`)).length).toBe(1);
  });
});

describe('a target that is none', () => {
  it.each([
    'ssh:',
    'ssh:@host',
    'ssh:-oProxyCommand=x',
    'ssh:a@-x',
    'ssh:host:0',
    'ssh:host:99999',
    'ssh:a b',
    'ssh:[host]:22',
    'ssh:user@',
    'ssh:x:y',
  ])('%s', async (spec) => {
    await expect(openHost(spec)).rejects.toMatchObject({ name: 'InputError', code: 'bad-host' });
  });
});
