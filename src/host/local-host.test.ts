import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFilesInLines } from '../formats/procfs/files-in-lines.ts';
import { HostError } from './host.ts';
import { LocalHost } from './local-host.ts';

const host = new LocalHost();
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-local-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The error that a promise ends with. */
async function failure(promise: Promise<unknown>): Promise<HostError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  return error as HostError;
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let read = '';
  for await (const chunk of chunks) read += Buffer.from(chunk).toString();
  return read;
}

describe('files', () => {
  it('reads what /proc makes up, whatever length it says', async () => {
    expect(await host.readFile('/proc/self/status')).toMatch(/^Name:/);
    expect(await host.readFile('/proc/sys/kernel/osrelease')).toMatch(/^\d+\.\d+/);
  });

  it('reads long files whole', async () => {
    const path = join(folder, 'long');
    writeFileSync(path, 'x'.repeat(300_000));
    expect((await host.readFile(path)).length).toBe(300_000);
  });

  it('reads many at once as grep tells them: without what is empty or cannot be read', async () => {
    const contents: Readonly<Record<string, string>> = { a: 'one\ntwo\n', b: 'no end', c: '', d: '\n', e: 'a\0b\n\n' };
    for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content);
    const paths = [
      ...[...Object.keys(contents), 'missing'].map((name) => join(folder, name)),
      '/proc/sys/kernel/osrelease',
      '/proc/sys/net/ipv4/tcp_rmem',
      folder,
    ];
    const { stdout } = await host.run(['grep', '-a', '-s', '-H', '', ...paths]);
    expect(await host.readFiles(paths)).toEqual(parseFilesInLines(stdout, paths));
    expect((await host.readFiles(paths)).size).toBe(6);
  });

  it('lists a directory, sorted', async () => {
    for (const name of ['b', 'a', 'c']) writeFileSync(join(folder, name), '');
    const names = await host.listDirectory(folder);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(['a', 'b', 'c']));
  });

  it('says what is missing', async () => {
    expect(await failure(host.readFile('/proc/no/such'))).toMatchObject({
      code: 'not-found',
      message: '/proc/no/such cannot be read: no such file or directory',
    });
    expect((await failure(host.listDirectory('/proc/no'))).code).toBe('not-found');
    expect((await failure(host.readFile('/proc/self/status/below'))).code).toBe('not-found');
    expect((await failure(host.readFile('/proc'))).code).toBe('failed');
  });
});

describe('commands', () => {
  it('gives exit code and both outputs', async () => {
    expect(await host.run(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('passes arguments as they are', async () => {
    const odd = ['a b', '$HOME', "it's", '', '*', 'new\nline', '--'];
    const { stdout } = await host.run(['printf', '%s|', ...odd]);
    expect(stdout).toBe(odd.map((word) => `${word}|`).join(''));
  });

  it('passes the input, and does not mind when nobody reads it', async () => {
    expect((await host.run(['cat'], { input: 'hello' })).stdout).toBe('hello');
    expect((await host.run(['true'], { input: 'x'.repeat(1_000_000) })).exitCode).toBe(0);
  });

  it('speaks English, and finds the programs of the administrator', async () => {
    const { stdout } = await host.run(['sh', '-c', 'echo $LC_ALL; echo $PATH']);
    expect(stdout).toMatch(/^C\n.*:\/usr\/sbin:\/sbin\n$/);
  });

  it('says that there is no such program', async () => {
    expect(await failure(host.run(['no-such-program-of-synscope']))).toMatchObject({ code: 'not-found' });
  });

  it('says that a program may not be run', async () => {
    const path = join(folder, 'not-executable');
    writeFileSync(path, 'x', { mode: 0o644 });
    expect((await failure(host.run([path]))).code).toBe('no-permission');
  });

  it('ends what takes too long, with all that it started', async () => {
    const mark = `31.${process.pid}`;
    const startedMs = performance.now();
    const error = await failure(host.run(['sh', '-c', `sleep ${mark} & sleep ${mark}`], { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'timed-out', message: 'sh did not end within 0.2 s' });
    expect(performance.now() - startedMs).toBeLessThan(5000);
    const { stdout } = await host.run(['ps', '-eo', 'args']);
    expect(stdout).not.toContain(`sleep ${mark}`);
  });

  it('ends what writes too much', async () => {
    expect(await failure(host.run(['yes'], { maxBytes: 100_000 }))).toMatchObject({
      code: 'failed',
      message: 'yes wrote more than 100000 bytes',
    });
  });
});

describe('streams', () => {
  it('hands over what comes, and the end', async () => {
    expect(await text(host.stream(['printf', 'a\\nb']).chunks)).toBe('a\nb');
  });

  it('is ended by its reader', async () => {
    const stream = host.stream(['sh', '-c', 'echo first; sleep 60; echo never']);
    let read = '';
    for await (const chunk of stream.chunks) {
      read += Buffer.from(chunk).toString();
      stream.stop();
    }
    expect(read).toBe('first\n');
  });

  it('tells of a failure with what the command said', async () => {
    const error = await failure(text(host.stream(['sh', '-c', 'echo bad luck >&2; exit 4']).chunks));
    expect(error.message).toBe('sh ended with exit code 4: bad luck');
    expect((await failure(text(host.stream(['no-such-program-of-synscope']).chunks))).code).toBe('not-found');
  });
});

describe('connections', () => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {});
      setTimeout(() => {
        if (mode === 'data') socket.write('220 hello');
        if (mode === 'closed') socket.end();
        if (mode === 'reset') socket.resetAndDestroy();
      }, 20);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as { port: number }).port;
  });
  afterAll(() => server.close());
  let mode = 'silent';

  it('says that it connected, and from where', async () => {
    const outcome = await host.connect({ address: '127.0.0.1', port, timeoutMs: 2000 });
    expect(outcome).toMatchObject({ local: { address: '127.0.0.1', port: expect.any(Number) } });
    expect(outcome.errno).toBe(undefined);
    expect(outcome.elapsedMs).toBeLessThan(1000);
  });

  it.each(['silent', 'data', 'closed', 'reset'])('sees what happens afterwards: %s', async (what) => {
    mode = what;
    const outcome = await host.connect({ address: '127.0.0.1', port, timeoutMs: 2000, holdMs: 200 });
    expect(outcome.afterwards).toBe(what);
  });

  it('says why it did not', async () => {
    const closed = await host.connect({ address: '127.0.0.1', port: 1, timeoutMs: 2000, ttl: 3 });
    expect(closed).toMatchObject({ errno: 'ECONNREFUSED', local: { address: '127.0.0.1' } });
    expect((await host.connect({ address: '::1', port: 1, timeoutMs: 2000 })).errno).toBe('ECONNREFUSED');
    const broadcast = await host.connect({ address: '255.255.255.255', port: 1, timeoutMs: 2000 });
    expect(broadcast.errno).toMatch(/^(ENETUNREACH|EACCES)$/);
    await expect(host.connect({ address: 'example.com', port: 1, timeoutMs: 1 })).rejects.toBeInstanceOf(HostError);
  });
});

it('knows the time', async () => {
  expect(Math.abs(Number((await host.nowNs()) / 1_000_000n) - Date.now())).toBeLessThan(50);
});
