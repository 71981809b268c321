import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packets } from '../../formats/wire/testing/packets.ts';
import { type Host, HostError } from '../host.ts';
import { openHost } from '../open-host.ts';
import { type Script, ScriptedHost } from '../testing/scripted-host.ts';
import { readSll2 } from '../testing/sll2.ts';
import { anonymize } from './anonymize.ts';
import { readBundle, writeBundle } from './bundle-file.ts';
import { BundleHost } from './bundle-host.ts';
import type { Bundle, BundleHeader } from './entry.ts';
import { RecordingHost } from './recording-host.ts';
import { SnapshotHost } from './snapshot-host.ts';

const HEADER: BundleHeader = {
  format: 'synscope-bundle',
  version: 1,
  synscope: '0.1.0',
  recordedAt: '2026-11-21T05:06:07Z',
  on: 'local',
  ports: [443],
  redacted: [],
  anonymized: false,
};

const SCRIPT: Script = {
  files: {
    '/proc/net/netstat': ['before', 'middle', 'after'],
    '/proc/sys/kernel/hostname': 'web7.corp.example\n',
    '/etc/hosts': '127.0.0.1 localhost\n10.1.2.3 web7.corp.example web7\n',
    '/proc/net/tcp': '   0: 0302010A:01BB 00000000:0000 0A\n',
    '/proc/net/tcp6': '   0: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A\n',
    '/proc/net/if_inet6': '20010db8000000000000000000000001 02 40 00 80 eth0\n',
  },
  directories: { '/proc/sys/net/ipv4/conf': ['all', 'eth0'] },
  commands: {
    'ip -j addr': '[{"local":"10.1.2.3","prefixlen":24,"broadcast":"10.1.2.255","address":"52:54:00:aa:bb:cc"}]',
    'ip route': 'default via 10.1.2.1 dev eth0\n10.1.2.0/24 dev eth0 src 10.1.2.3\n203.0.113.0/24 via 10.1.2.9\n',
    'ip route get 203.0.113.77': '203.0.113.77 via 10.1.2.9 dev eth0 src 10.1.2.3\n',
    dmesg: '[1.0] web7 kernel: IN=eth0 MAC=52:54:00:aa:bb:cc:52:54:00:aa:bb:dd:08:00 SRC=203.0.113.77\n',
  },
  streams: { 'ip monitor': ['deleted 203.0.113', '.0/24\n'] },
  packets: packets(
    `0.000000001 203.0.113.77:4000 > 10.1.2.3:443 S 1 win 9 <mss 1460>
     +1 203.0.113.77:4000 > 10.1.2.3:443 S 1 win 9 <mss 1460>
     +1 203.0.113.78:4000 > 10.1.2.3:80 S 1 win 9
     +1 [2001:db8:77::7]:4000 > [2001:db8::1]:443 P. 1:61(60) ack 1 win 9`,
    { link: 'sll2' },
  ),
  connect: { local: { address: '10.1.2.3', port: 40000 }, errno: 'ETIMEDOUT', elapsedMs: 12 },
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-bundle-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  return Buffer.concat(pieces);
}

/** Asks everything that the script knows, and some that it does not; returns all answers. */
async function askAll(host: Host, replace: (text: string) => string = (text) => text): Promise<unknown[]> {
  const answers: unknown[] = [];
  const ask = async (promise: Promise<unknown>): Promise<void> => {
    answers.push(await promise.catch((error: unknown) => (error as HostError).code));
  };
  const capture = await host.capture({ port: 443 });
  for (const path of Object.keys(SCRIPT.files ?? {})) await ask(host.readFile(path));
  await ask(host.readFile('/no/such'));
  await ask(host.readFile('/proc/net/netstat'));
  await ask(host.listDirectory('/proc/sys/net/ipv4/conf'));
  await ask(host.nowNs());
  answers.push(await all(capture.chunks), capture.lost());
  for (const command of Object.keys(SCRIPT.commands ?? {})) await ask(host.run(replace(command).split(' ')));
  await ask(host.run(['nft', 'list', 'ruleset']));
  await ask(host.readFile('/proc/net/netstat'));
  await ask(host.connect({ address: replace('203.0.113.77'), port: 443, timeoutMs: 10 }));
  answers.push((await all(host.stream(['ip', 'monitor']).chunks)).toString());
  await ask(host.nowNs());
  return answers;
}

async function record(): Promise<{ answers: unknown[]; bundle: Bundle }> {
  const host = new RecordingHost(new ScriptedHost(SCRIPT));
  const answers = await askAll(host);
  return { answers, bundle: { header: HEADER, entries: host.entries } };
}

async function stored(bundle: Bundle, name: string): Promise<string> {
  const path = join(folder, name);
  await writeBundle(path, bundle, true);
  return path;
}

function withoutPackets(answers: readonly unknown[]): unknown[] {
  return answers.filter((answer) => !Buffer.isBuffer(answer));
}

describe('a recording', () => {
  it('answers as the host did, through a file', async () => {
    const { answers, bundle } = await record();
    const host = await openHost(`bundle:${await stored(bundle, 'plain')}`);
    const replayed = await askAll(host);
    expect(withoutPackets(replayed)).toEqual(withoutPackets(answers));
    const [before, after] = [answers, replayed].map((list) => readSll2(list.find(Buffer.isBuffer) as Buffer));
    expect(after!.map(({ timeNs, wireBytes }) => [timeNs, wireBytes])).toEqual(
      before!.map(({ timeNs, wireBytes }) => [timeNs, wireBytes]),
    );
    expect(after![0]!.bytes).toEqual(before![0]!.bytes);
    // What the last one carried is not kept.
    expect(after![3]!.bytes).toEqual(before![3]!.bytes.subarray(0, 60));
    await host.close();
  });

  it('gives the n-th answer to the n-th question, and repeats the last', async () => {
    const recorder = new RecordingHost(new ScriptedHost(SCRIPT));
    for (let times = 0; times < 3; times++) await recorder.readFile('/proc/net/netstat');
    const host = new BundleHost({ header: HEADER, entries: recorder.entries }, 'bundle:x');
    const replayed: string[] = [];
    for (let times = 0; times < 5; times++) replayed.push(await host.readFile('/proc/net/netstat'));
    expect(replayed).toEqual(['before', 'middle', 'after', 'after', 'after']);
  });

  it('gives the latest answers once the watch has begun', async () => {
    const recorder = new RecordingHost(new ScriptedHost(SCRIPT));
    await all((await recorder.capture({})).chunks);
    await recorder.readFile('/proc/net/netstat');
    recorder.beginWatch();
    const times = [await recorder.nowNs(), await recorder.nowNs(), await recorder.nowNs()];
    await recorder.readFile('/proc/net/netstat');
    await recorder.readFile('/proc/net/netstat');
    const host = new BundleHost({ header: HEADER, entries: recorder.entries }, 'bundle:x');
    expect(await host.readFile('/proc/net/netstat')).toBe('before');
    expect(await host.readFile('/proc/net/netstat')).toBe('before');
    host.beginWatch();
    expect([await host.nowNs(), await host.nowNs(), await host.nowNs()]).toEqual([times[0], times[2], times[2]]);
    expect(await host.readFile('/proc/net/netstat')).toBe('after');
  });

  it('says what was not recorded', async () => {
    const { bundle } = await record();
    const host = new BundleHost(bundle, 'bundle:x');
    await expect(host.readFile('/etc/shadow')).rejects.toMatchObject({
      code: 'not-recorded',
      message: '/etc/shadow was not read when this was recorded',
    });
    await expect(host.run(['id'])).rejects.toMatchObject({ code: 'not-recorded' });
    await expect(host.connect({ address: '10.0.0.1', port: 1, timeoutMs: 1 })).rejects.toBeInstanceOf(HostError);
    expect(() => host.stream(['id'])).toThrow('"id" was not run when this was recorded');
    await expect(new BundleHost({ header: HEADER, entries: [] }, '').capture({})).rejects.toBeInstanceOf(HostError);
  });

  it('of all ports gives the packets of one', async () => {
    const recorder = new RecordingHost(new ScriptedHost(SCRIPT));
    await all((await recorder.capture({})).chunks);
    const host = new BundleHost({ header: HEADER, entries: recorder.entries }, 'bundle:x');
    const count = async (spec: { port?: number; peer?: string }): Promise<number> =>
      readSll2(await all((await host.capture(spec)).chunks)).length;
    expect(await count({})).toBe(4);
    expect(await count({ port: 443 })).toBe(3);
    expect(await count({ port: 80 })).toBe(1);
    expect(await count({ port: 443, peer: '203.0.113.77' })).toBe(2);
  });

  it('remembers why there is no capture', async () => {
    const recorder = new RecordingHost(new ScriptedHost({}));
    await expect(recorder.capture({ port: 443 })).rejects.toBeInstanceOf(HostError);
    const host = new BundleHost({ header: HEADER, entries: recorder.entries }, 'bundle:x');
    await expect(host.capture({ port: 443 })).rejects.toMatchObject({ code: 'no-permission', hint: 'run as root' });
  });
});

it('a snapshot asks each question once', async () => {
  const host = new SnapshotHost(new ScriptedHost(SCRIPT));
  expect(await host.readFile('/proc/net/netstat')).toBe('before');
  expect(await host.readFile('/proc/net/netstat')).toBe('before');
  await expect(host.readFile('/none')).rejects.toBeInstanceOf(HostError);
  await expect(host.readFile('/none')).rejects.toBeInstanceOf(HostError);
  host.forget();
  expect(await host.readFile('/proc/net/netstat')).toBe('middle');
});

describe('an anonymised recording', () => {
  it('holds no address and no name, and answers to the pseudonyms', async () => {
    const { bundle } = await record();
    const hidden = anonymize(bundle);
    const path = await stored(hidden, 'hidden');
    const bytes = zstdDecompressSync(readFileSync(path));
    const entries = (await readBundle(path)).entries;
    const captured = entries.flatMap(({ answer }) =>
      answer !== undefined && 'packets' in answer ? [answer.packets] : [],
    );
    const everything = Buffer.concat([bytes, ...captured]);
    const secrets = [
      ...['10.1.2.3', '10.1.2.1', '10.1.2.9', '203.0.113', '2001:db8', 'web7', 'corp.example'],
      ...['52:54:00:aa:bb', '0302010A', 'B80D0120', '20010db8'],
    ];
    for (const secret of secrets) expect(everything.includes(secret), secret).toBe(false);
    for (const secret of ['0a010203', 'cb00714d', '20010db8', '525400aabb']) {
      expect(everything.includes(Buffer.from(secret, 'hex')), secret).toBe(false);
    }
    const route = entries.find(({ question }) => 'argv' in question && question.argv.join(' ') === 'ip route');
    const text = route?.answer !== undefined && 'stdout' in route.answer ? route.answer.stdout : '';
    const [, gateway, network, own, far, via] =
      /^default via (\S+) dev eth0\n(\S+)\/24 dev eth0 src (\S+)\n(\S+)\/24 via (\S+)\n$/.exec(text) ?? [];
    const prefix = (address: string | undefined): string | undefined => address?.replace(/\.\d+$/, '');
    expect([prefix(gateway), prefix(own), prefix(via)]).toEqual([prefix(network), prefix(network), prefix(network)]);
    expect(network).toMatch(/^10\..*\.0$/);
    const lookup = entries.find(({ question }) => 'argv' in question && question.argv[2] === 'get');
    const client = lookup !== undefined && 'argv' in lookup.question ? (lookup.question.argv[3] ?? '') : '';
    expect(prefix(client)).toBe(prefix(far));
    const packet = readSll2(
      Buffer.concat([await all((await new BundleHost(hidden, '').capture({ port: 443 })).chunks)]),
    )[0]!;
    expect(packet.bytes.subarray(12, 16).join('.')).toBe(client);
    expect(packet.bytes.subarray(16, 20).join('.')).toBe(own);
    const replayed = await askAll(new BundleHost(hidden, ''), (text) => text.replace('203.0.113.77', client));
    expect(replayed.length).toBe((await record()).answers.length);
    expect(replayed.filter((answer) => answer === 'not-recorded')).toEqual([]);
    expect(JSON.stringify(replayed, (_, value: unknown) => (typeof value === 'bigint' ? '' : value))).toContain('10.');
  });

  it('keeps hexadecimal tables in step with text', async () => {
    const { bundle } = await record();
    const hidden = new BundleHost(anonymize(bundle), '');
    await all((await hidden.capture({ port: 443 })).chunks);
    const own = /"local":"([^"]+)"/.exec((await hidden.run(['ip', '-j', 'addr'])).stdout)?.[1] ?? '';
    const digits = own
      .split('.')
      .reverse()
      .map((byte) => Number(byte).toString(16).padStart(2, '0'))
      .join('');
    expect(await hidden.readFile('/proc/net/tcp')).toBe(`   0: ${digits.toUpperCase()}:01BB 00000000:0000 0A\n`);
    expect(JSON.stringify((await hidden.run(['ip', '-j', 'addr'])).stdout)).toMatch(
      /"broadcast\\":\\"10\.\d+\.\d+\.255/,
    );
  });
});

describe('secrets', () => {
  it.each([
    ['http_proxy=http://joe:hunter2@proxy:3128/', 'hunter2'],
    ['ESTAB md5keys:10.0.0.1=s3cr3t,10.0.0.2=s3cr3t', 's3cr3t'],
    ['\tenc cbc(aes) 0xdeadbeef', 'deadbeef'],
    ['\tauth-trunc hmac(sha256) 0xdeadbeef 128', 'deadbeef'],
    ['private key: 8Jx=', '8Jx='],
    ['Authorization: Bearer abc.def', 'abc.def'],
    ['--password=hunter2 --x', 'hunter2'],
    ['"token": "abcdef"', 'abcdef'],
    ['net.ipv4.tcp_fastopen_key = 1-2-3-4', '1-2-3-4'],
    ['net.ipv6.conf.eth0.stable_secret = fe80::9', 'fe80::9'],
  ])('%s', async (text, secret) => {
    const recorder = new RecordingHost(new ScriptedHost({ commands: { some: text } }));
    expect((await recorder.run(['some'])).stdout).toBe(text);
    expect(JSON.stringify(recorder.entries)).not.toContain(secret);
  });

  it('of processes and files are not kept', async () => {
    const script: Script = {
      files: {
        '/proc/7/cmdline': 'nginx\0--key\0hunter2\0',
        '/proc/7/environ': 'HOME=/root\0https_proxy=http://joe:hunter2@proxy\0KEY=hunter2\0',
        '/proc/sys/net/ipv4/tcp_fastopen_key': 'hunter2',
      },
      commands: {
        env: 'HOME=/hunter2\nno_proxy=.corp\nX=hunter2\n',
        'grep -a -s -H  /proc/7/cmdline /proc/sys/net/ipv4/tcp_fastopen_key':
          '/proc/7/cmdline:nginx\0--key\0hunter2\n/proc/sys/net/ipv4/tcp_fastopen_key:hunter2\n',
        'ps -eo pid,args': '7 nginx hunter2\n',
        'systemctl show x': 'Environment=KEY=hunter2\n',
      },
    };
    const recorder = new RecordingHost(new ScriptedHost(script));
    for (const path of Object.keys(script.files ?? {})) await recorder.readFile(path);
    for (const command of Object.keys(script.commands ?? {})) await recorder.run(command.split(' '));
    const kept = JSON.stringify(recorder.entries);
    expect(kept).not.toContain('hunter2');
    for (const wanted of ['nginx', 'https_proxy=http://***@proxy', 'no_proxy=.corp']) expect(kept).toContain(wanted);
  });
});

describe('files', () => {
  it('are for their owner, whole or not there, and not replaced unless asked to', async () => {
    const { bundle } = await record();
    const path = await stored(bundle, 'once');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const first = readFileSync(path);
    await expect(writeBundle(path, { ...bundle, entries: [] }, false)).rejects.toMatchObject({ code: 'exists' });
    expect(readFileSync(path)).toEqual(first);
    await expect(writeBundle(join(folder, 'no', 'x'), bundle, false)).rejects.toMatchObject({ code: 'not-writable' });
    symlinkSync(path, join(folder, 'link'));
    await writeBundle(join(folder, 'link'), { ...bundle, entries: [] }, true);
    expect((await readBundle(path)).entries).toEqual([]);
    await writeBundle(join(folder, 'fresh'), bundle, false);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  const lines = (...values: unknown[]): Buffer =>
    zstdCompressSync(values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join('\n'));
  const file = { question: { op: 'readFile', path: '/x' }, watching: false, answer: { text: 'x' } };
  const capture = { question: { op: 'capture' }, watching: false, answer: { capture: { lost: 0, bytes: 3 } } };

  it.each<[code: string, name: string, content: Uint8Array]>([
    ['not-a-bundle', 'text', Buffer.from('hello')],
    ['not-a-bundle', 'empty', Buffer.alloc(0)],
    ['not-a-bundle', 'packed text', zstdCompressSync('hello\n')],
    ['not-a-bundle', 'packed nothing', zstdCompressSync('')],
    ['not-a-bundle', 'other json', lines({ format: 'other', version: 1 })],
    ['newer-version', 'newer', lines({ ...HEADER, version: 2 })],
    ['damaged', 'header', lines({ ...HEADER, ports: ['x'] })],
    ['damaged', 'no end', lines(HEADER, file)],
    ['damaged', 'end too early', lines(HEADER, { end: 1 })],
    ['damaged', 'goes on', lines(HEADER, { end: 0 }, file)],
    ['damaged', 'no json', lines(HEADER, '{', { end: 1 })],
    ['damaged', 'an array', lines(HEADER, [1], { end: 1 })],
    ['damaged', 'unknown question', lines(HEADER, { ...file, question: { op: 'writeFile', path: '/x' } }, { end: 1 })],
    ['damaged', 'odd question', lines(HEADER, { ...file, question: { op: 'run', argv: 'x' } }, { end: 1 })],
    ['damaged', 'odd answer', lines(HEADER, { ...file, answer: { text: 7 } }, { end: 1 })],
    ['damaged', 'other answer', lines(HEADER, { ...file, answer: { names: [] } }, { end: 1 })],
    ['damaged', 'no answer', lines(HEADER, { ...file, answer: undefined }, { end: 1 })],
    ['damaged', 'odd refusal', lines(HEADER, { ...file, refusal: { code: 'bad', message: '' } }, { end: 1 })],
    ['damaged', 'packets missing', lines(HEADER, capture, { end: 1 })],
    ['damaged', 'packets too many', lines(HEADER, capture, { packets: 'AAAAAAAA' }, { end: 1 })],
    ['damaged', 'packets of nothing', lines(HEADER, { packets: 'AAAA' }, { end: 0 })],
    ['damaged', 'cut', lines(HEADER, file, { end: 1 }).subarray(0, 60)],
    [
      'damaged',
      'not packed right',
      Buffer.concat([lines(HEADER, file, { end: 1 }).subarray(0, 60), Buffer.alloc(60, 7)]),
    ],
    ['damaged', 'a bomb', gzipSync(Buffer.alloc(200 * 1024 * 1024))],
  ])('%s: %s', async (code, name, content) => {
    const path = join(folder, 'odd');
    writeFileSync(path, content);
    const error = await readBundle(path).catch((thrown: unknown) => thrown);
    expect(error, name).toMatchObject({ name: 'InputError', code });
    expect((error as Error).message.startsWith(path)).toBe(true);
  });

  it('packed with gzip can be read, and those that are not there are said to be', async () => {
    const path = join(folder, 'gzip');
    writeFileSync(path, gzipSync(zstdDecompressSync(lines(HEADER, file, { end: 1 }))));
    expect((await readBundle(path)).entries).toEqual([file]);
    await expect(readBundle(join(folder, 'none'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(readBundle(folder)).rejects.toMatchObject({ code: 'is-directory' });
  });

  it('with any bit wrong do no harm', async () => {
    const { bundle } = await record();
    const good = zstdDecompressSync(readFileSync(await stored(bundle, 'bits')));
    for (let bit = 0; bit < good.length * 8; bit += 1009) {
      const damaged = Buffer.from(good);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const path = join(folder, 'bit');
      writeFileSync(path, gzipSync(damaged, { level: 1 }));
      const read = await readBundle(path).catch((error: unknown) => error);
      if (read instanceof Error) expect(read.name).toBe('InputError');
      else
        await askAll(new BundleHost(read as Bundle, '')).catch((error: unknown) =>
          expect(error).toBeInstanceOf(HostError),
        );
    }
  });
});
