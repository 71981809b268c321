import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BuiltCli } from './built-cli.ts';
import { root } from './run-cli.ts';

/** The command line as a user meets it: built, started as a program, with pipes, files and signals. */

const CLIENT = 'samples/no-return-route/client.pcap';
const SERVER = 'samples/no-return-route/server.pcapng';
const LATE = 'samples/late/client.pcap';

let top: string;
let folder: string;
let cli: BuiltCli;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'synscope-cli-'));
  mkdirSync(join(top, 'built'));
  cli = new BuiltCli(join(top, 'built'));
});
beforeEach(() => {
  folder = mkdtempSync(join(top, 'work-'));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

/** The most memory that a process ever had. */
function peakMemoryKiB(pid: number): number {
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

/** Puts a file into the folder of this test. */
function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function sample(path: string): Buffer {
  return readFileSync(join(root, path));
}

function json(...args: string[]): Report {
  const { stdout, stderr } = cli.run([...args, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Report;
}

interface Report {
  readonly headline: string;
  readonly diagnoses: readonly {
    readonly handshake: { readonly startedAt: string; readonly outcome: string; readonly server: { port: number } };
  }[];
  readonly omittedDiagnoses: number;
  readonly groups: readonly unknown[];
  readonly captures: readonly { readonly name: string }[];
  readonly summary: { readonly handshakes: number; readonly failed: number };
}

describe('the exit code', () => {
  it.each([
    [0, 'nothing wrong', ['read', LATE]],
    [1, 'a failed handshake', ['read', CLIENT]],
    [1, 'a failed handshake', ['compare', CLIENT, SERVER]],
    [2, 'wrong usage', ['read']],
    [2, 'an input that cannot be read', ['read', 'samples']],
    [3, 'too little to see', ['read', CLIENT, '--port', '1']],
  ])('is %i for %s', (status, _, args) => {
    expect(cli.run(args).status).toBe(status);
  });
});

describe('standard input', () => {
  it('is read as it arrives, and reported at its end', async () => {
    const bytes = sample(CLIENT);
    const child = cli.start(['read', '-']);
    const out = text(child.stdout);
    for (let at = 0; at < bytes.length; at += 1500) {
      child.stdin.write(bytes.subarray(at, at + 1500));
      await setTimeout(60);
    }
    child.stdin.end();
    expect(await out).toBe(cli.run(['read', '-'], { input: bytes }).stdout);
    expect(await out).toContain('2 of 6 handshakes failed');
    expect(child.exitCode ?? (await exited(child))).toBe(1);
  });

  it.each([
    ['SIGINT', 1, undefined],
    ['SIGTERM', 1, undefined],
    ['SIGINT', 3, 24],
  ] as const)('ends with %s: what is known is told, exit code %i', async (signal, status, length) => {
    // When the process is ready is not to be seen from outside: a signal that came too early is sent again, later.
    for (const delayMs of [600, 2000, 8000]) {
      const child = cli.start(['read', '-']);
      const out = text(child.stdout);
      const errors = text(child.stderr);
      child.stdin.on('error', () => {});
      child.stdin.write(sample(CLIENT).subarray(0, length));
      await setTimeout(delayMs);
      child.kill(signal);
      const code = await exited(child);
      if (code === null) continue;
      expect([code, await errors]).toEqual([status, '']);
      expect(await out).toMatch(length === undefined ? /2 of 6 handshakes failed/ : /holds no TCP handshake/);
      return;
    }
    expect.unreachable('every signal ended the process at once');
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('and files may be compressed with %s', (name, compress) => {
    const bytes = compress(sample(CLIENT));
    const path = file('client.pcap', bytes);
    const plain = cli.run(['read', CLIENT]).stdout;
    expect(cli.run(['read', path]).stdout.replaceAll(path, CLIENT)).toBe(plain);
    const { stdout } = cli.run(['read', '-', '--json'], { input: bytes });
    expect(JSON.parse(stdout)).toMatchObject({ captures: [{ name: '-', compression: name, packets: 48 }] });
  });

  it('takes no more memory the longer it gets', async () => {
    const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000065000000', 'hex');
    const record = Buffer.alloc(16 + 1400);
    Buffer.from('01000000000000007805000078050000', 'hex').copy(record);
    Buffer.from('45000578000000004011', 'hex').copy(record, 16);
    const piece = Buffer.concat(Array.from({ length: 700 }, () => record));
    const child = cli.start(['read', '-']);
    const ended = exited(child);
    child.stdin.write(header);
    const peaks: number[] = [];
    for (let written = 0; written < 160; written++) {
      if (!child.stdin.write(piece)) await once(child.stdin, 'drain');
      if (written === 1 || written === 159) peaks.push(peakMemoryKiB(child.pid!));
    }
    child.stdin.end();
    expect(await text(child.stdout)).toMatch(/No TCP handshake/i);
    expect(await ended).toBe(3);
    expect(peaks[1]! - peaks[0]!).toBeLessThan(24 * 1024);
  });

  it('is one of two captures', () => {
    const { status, stdout } = cli.run(['compare', CLIENT, '-'], { input: sample(SERVER) });
    expect(status).toBe(1);
    expect(stdout).toContain('no SYN-ACK left');
  });
});

describe('what cannot be read is told in one sentence', () => {
  it.each([
    ['a missing file', 'missing.pcap', undefined, /missing\.pcap does not exist\. Check the path; - means/],
    ['a folder', '.', undefined, /^synscope: .* is a directory\. Name the captures in it\.$/m],
    [
      'a text file',
      'notes.txt',
      'a\nb\nc\n'.repeat(20),
      /notes\.txt: This is no pcap or pcapng capture but a text file/,
    ],
    ['an empty file', 'empty.pcap', '', /empty\.pcap: The capture is empty: it has 0 bytes\./],
    ['a file of half a header', 'short.pcap', readFileSync(join(root, CLIENT)).subarray(0, 15), /ends after 15 bytes/],
    ['a part of gzip', 'x.gz', gzipSync('a'.repeat(99)).subarray(0, 12), /x\.gz: The gzip data ends too early/],
  ] as const)('%s', (_, name, bytes, message) => {
    const path = bytes === undefined ? join(folder, name) : file(name, bytes);
    for (const args of [
      ['read', path],
      ['compare', CLIENT, path],
    ]) {
      const { status, stdout, stderr } = cli.run(args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
      expect(stderr.trim()).not.toContain('\n');
      expect(stderr).not.toMatch(/\.;|undefined|\[object|E[A-Z]{4,}/);
    }
  });

  it('but a capture that was cut short is read up to there, with a note', () => {
    const path = file('cut.pcap', sample(CLIENT).subarray(0, -7));
    const { status, stdout } = cli.run(['read', path]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/Not seen\n {2}○ The capture ends in the middle of a record/);
    const zipped = file('cut.pcap.gz', gzipSync(sample(CLIENT)).subarray(0, -20));
    expect(cli.run(['read', zipped]).stdout).toContain('The gzip data ends too early');
  });
});

describe('wrong usage is told with what to do', () => {
  it.each([
    [['read'], 'missing <capture>\nSee: synscope read --help'],
    [['read', 'a', 'b'], 'read takes one capture; for several points of one path: synscope compare A B'],
    [['reed', 'x'], "unknown command 'reed'\n(Did you mean read?)\nSee: synscope --help"],
    [['read', 'x', '--limi', '3'], "unknown option '--limi'\n(Did you mean --limit?)\nSee: synscope read --help"],
    [['read', 'x', '--port'], '--port needs a value: --port <number>\nSee: synscope read --help'],
    [['read', 'x', '--port', '99999'], '--port takes a number from 0 to 65535, and "99999" is none'],
    [['read', 'x', '--limit', '-3'], '--limit takes a whole number, and "-3" is none'],
    [['read', 'x', '--since', 'noon'], /^--since takes a time, and "noon" is none; give 2026-11-20T10:00:00Z, /],
    [['read', 'x', '--until', '+5d'], /^--until takes a time, and "\+5d" is none/],
    [['read', 'x', '--host', 'web7'], /^--host takes an IP address, and "web7" is none; names are not looked up/],
    [['compare', CLIENT], 'compare takes two or more captures; for one alone: synscope read FILE'],
    [['compare', '-', '-'], 'standard input (-) can be only one of the captures'],
    [['compare', CLIENT, `./${CLIENT}`], /is a capture that was given before/],
    [['read', '-', '--annotate', 'x'], /^--annotate reads the capture a second time and cannot do so from standard/],
    [['read', CLIENT, '--html', '-'], '--html takes the name of a file, and "-" is none'],
    [['read', CLIENT, '--html', 'a', '--annotate', './a'], /^--html and --annotate would both write a;/],
    [['read', CLIENT, '--html', CLIENT], `${CLIENT} is one of the captures; give --html another name`],
    [
      ['compare', CLIENT, SERVER, '--annotate', SERVER],
      `${SERVER} is one of the captures; give --annotate another name`,
    ],
    [['read', CLIENT, '--html', 'samples'], 'samples cannot be written: it is a directory.'],
    [['read', CLIENT, '--annotate', 'no/x.pcapng'], 'no/x.pcapng cannot be written: there is no folder no.'],
    [['read', CLIENT, '--annotate', '/dev/null'], '/dev/null cannot be written: it is no ordinary file.'],
    [['explain', 'ListenDorps'], /^there is no explanation of "ListenDorps"; did you mean ListenDrops/],
    [
      ['listen', 'https'],
      /^listen takes a port \(443\), or an address of this host and a port .*, and "https" is neither$/,
    ],
    [
      ['connect', 'example.com'],
      /^connect takes a name or address with a port .* or a URL, and "example.com" is neither$/,
    ],
  ] as [string[], string | RegExp][])('%j', (args, message) => {
    const { status, stdout, stderr } = cli.run(args);
    expect([status, stdout]).toEqual([2, '']);
    const said = stderr.replace(/^synscope: /, '').trimEnd();
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  it('no command at all shows them all', () => {
    const { status, stdout, stderr } = cli.run([]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Usage: synscope/);
    expect(cli.run(['--help'])).toMatchObject({ status: 0, stdout: stderr });
  });

  it('every example of every help runs, as far as its options go', () => {
    for (const name of ['read', 'compare', 'explain']) {
      const { stdout } = cli.run([name, '--help']);
      const examples = [...stdout.matchAll(/^ {2}(?:.*\| )?synscope (.+)$/gm)].map(([, line]) => line!.split(' '));
      expect(examples.length).toBeGreaterThan(1);
      for (const args of examples) expect(cli.run(args, { cwd: folder }).stderr).not.toMatch(/unknown|needs|missing </);
    }
  });
});

describe('options narrow it down', () => {
  const ports = (...args: string[]): number[] =>
    json('read', CLIENT, ...args).diagnoses.map(({ handshake }) => handshake.server.port);

  it('--port and --host', () => {
    expect(ports()).toEqual([8443, 443]);
    expect(ports('--port', '443')).toEqual([443]);
    expect(ports('--port', '443', '--port', '8443')).toEqual([8443, 443]);
    expect(ports('--host', '[2001:db8:2::2]')).toEqual([8443, 443]);
    expect(ports('--host', '2001:db8:2::3')).toEqual([]);
    expect(json('compare', CLIENT, SERVER, '--port', '443').summary).toMatchObject({ failed: 1 });
  });

  it('--since and --until, as moments or from the first packet', () => {
    const [first, second] = json('read', CLIENT).diagnoses.map(({ handshake }) => handshake.startedAt);
    expect(ports('--since', second!.replace(/\d{6}Z$/, 'Z'))).toEqual([443]);
    expect(ports('--until', first!.replace(/\d{6}Z$/, 'Z').replace(/(\d)Z$/, '$1Z'))).toEqual([]);
    expect(ports('--since', '+0')).toEqual([8443, 443]);
    expect(ports('--until', '+0ms')).toEqual([]);
    expect(ports('--since', '+1h')).toEqual([]);
    expect(json('compare', CLIENT, SERVER, '--since', '+1h').summary.handshakes).toBe(0);
  });

  it('and when nothing is left, the verdict says so', () => {
    const none = 'and none of them is to port 1.';
    expect(json('read', CLIENT, '--port', '1').headline).toBe(`client.pcap holds 6 handshakes, ${none}`);
    expect(json('compare', CLIENT, SERVER, '--port', '1').headline).toMatch(
      /^client\.pcap and server\.pcapng hold \d+ handshakes, and none of them is to port 1\.$/,
    );
  });

  it('--failed, --all and --limit', () => {
    expect(json('read', LATE)).toMatchObject({ diagnoses: [], groups: [{ outcome: 'established' }] });
    expect(json('read', LATE, '--failed')).toMatchObject({ diagnoses: [], groups: [], summary: { handshakes: 4 } });
    expect(json('read', LATE, '--all').diagnoses).toHaveLength(4);
    expect(json('read', CLIENT, '--limit', '1')).toMatchObject({ omittedDiagnoses: 1 });
    expect(json('compare', CLIENT, SERVER, '--limit', '0')).toMatchObject({ diagnoses: [], omittedDiagnoses: 2 });
  });
});

describe('--json', () => {
  const schema = JSON.parse(readFileSync(join(root, 'docs/schema/capture-report.schema.json'), 'utf8')) as object;
  const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);
  const points = ['client', 'router', 'server'].map((name) => `samples/three-points/${name}.pcap`);

  it.each([
    [['read', CLIENT]],
    [['read', 'samples/icmp-from-router/client.pcap']],
    [['compare', CLIENT, SERVER]],
    [['compare', 'samples/clock-skew/client.pcap', 'samples/clock-skew/server.pcap']],
    [['compare', ...points]],
  ])('of %j keeps to the schema, streamed or not', (args) => {
    for (const more of [[], ['--all'], ['--all', '--limit', '2']]) {
      const streamed = cli.run([...args, ...more, '--json']).stdout;
      const whole = cli.run([...args, ...more, '--json', '--html', join(folder, 'page.html')]).stdout;
      expect(validate(JSON.parse(streamed)), JSON.stringify(validate.errors)).toBe(true);
      if (!more.includes('--limit')) expect(JSON.parse(whole)).toEqual(JSON.parse(streamed));
      expect(validate(JSON.parse(whole)), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  it('says which options the capture cut off', () => {
    const { stdout } = cli.run(['read', '-', '--json', '--all'], {
      input: shortened(sample(CLIENT), 14 + 40 + 20 + 3),
    });
    const report = JSON.parse(stdout) as Report;
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(report.diagnoses[0]!.handshake).toMatchObject({ clientOptions: { cut: true } });
  });
});

describe('--html', () => {
  it('writes one page that loads nothing', () => {
    const path = join(folder, 'page.html');
    for (const args of [
      ['read', CLIENT],
      ['compare', CLIENT, SERVER],
    ]) {
      expect(cli.run([...args, '--html', path]).stdout).toBe(cli.run(args).stdout);
      const page = readFileSync(path, 'utf8');
      expect(page).toMatch(/^<!doctype html>/i);
      expect(page).not.toMatch(/https?:|\b(?:src|href|action)=|url\(|@import/);
      expect(page).toContain('2001:db8:2::2');
    }
    expect(readdirSync(folder)).toEqual(['page.html']);
  });

  it('writes through links and into pipes', () => {
    const script = `cd '${folder}'; ln -s real link; : > real; mkfifo pipe; cat pipe > copy & ${cli.command} read '${join(root, CLIENT)}' --html`;
    expect(spawnSync('sh', ['-c', `${script} pipe; wait`]).status).toBe(0);
    expect(spawnSync('sh', ['-c', `${cli.command} read ${CLIENT} --html '${folder}/link'`], { cwd: root }).status).toBe(
      1,
    );
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    for (const name of ['copy', 'real']) expect(readFileSync(join(folder, name), 'utf8')).toMatch(/^<!doctype html>/i);
    expect(readdirSync(folder).sort()).toEqual(['copy', 'link', 'pipe', 'real']);
  });
});

const tshark = spawnSync('tshark', ['--version']).error === undefined;
if (!tshark) console.log('cli: tshark is not installed; what it says of annotated captures is not tested');

describe.skipIf(!tshark)('--annotate, as tshark reads it', () => {
  const FIELDS = ['frame.interface_name', 'frame.time_epoch', 'ipv6.src', 'ip.src', 'tcp.srcport', 'tcp.seq_raw'];

  function rows(path: string, fields: readonly string[], filter = ''): string[][] {
    const args = ['-n', '-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
    const { status, stdout, stderr } = spawnSync('tshark', [...args, '-Y', filter], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stderr).not.toMatch(/cut short|damaged|corrupt|malformed/);
    return stdout
      .trimEnd()
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t'));
  }

  it('holds every packet of every capture, with comments', () => {
    const path = join(folder, 'both.pcapng');
    expect(cli.run(['compare', CLIENT, SERVER, '--annotate', path]).status).toBe(1);
    expect(readdirSync(folder)).toEqual(['both.pcapng']);
    expect(rows(path, ['frame.number'])).toHaveLength(48 + 74);
    expect(rows(path, ['frame.number'], '_ws.malformed')).toEqual([]);
    const comments = rows(path, ['frame.interface_name', 'frame.comment'], 'frame.comment contains "synscope:"');
    expect(comments.filter(([name]) => name!.startsWith('client.pcap')).length).toBeGreaterThanOrEqual(6);
    expect(comments.map(([, comment]) => comment).join('\n')).toMatch(/no SYN-ACK left: the server stayed silent/);
  });

  it('corrects the times of a clock that is ahead', () => {
    const path = join(folder, 'both.pcapng');
    const paths = ['client', 'server'].map((name) => `samples/clock-skew/${name}.pcap`);
    expect(cli.run(['compare', ...paths, '--annotate', path]).status).toBe(1);
    const seen = new Map<string, number>();
    let pairs = 0;
    for (const [name, seconds, ...packet] of rows(path, FIELDS, 'tcp.flags.syn == 1')) {
      const key = packet.join(' ');
      const other = seen.get(`${name === 'client.pcap' ? 'server.pcap' : 'client.pcap'} ${key}`);
      seen.set(`${name} ${key}`, Number(seconds));
      if (other === undefined) continue;
      pairs++;
      expect(Math.abs(Number(seconds) - other)).toBeLessThan(0.001);
    }
    expect(pairs).toBeGreaterThanOrEqual(6);
    const times = rows(path, ['frame.time_epoch']).map(([seconds]) => Number(seconds));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('of one compressed capture', () => {
    const path = join(folder, 'one.pcapng');
    expect(cli.run(['read', file('c.pcap.zst', zstdCompressSync(sample(CLIENT))), '--annotate', path]).status).toBe(1);
    expect(rows(path, ['frame.comment'], 'frame.comment').length).toBeGreaterThanOrEqual(6);
  });
});

describe('a file that cannot be written', () => {
  it.each([['--html'], ['--annotate']])('%s leaves nothing behind, and the report is still printed', (option) => {
    // A process may write no file longer than a few kilobytes.
    const command = `ulimit -f 4; exec ${cli.command} read ${CLIENT} ${option} '${folder}/big'`;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' });
    expect(stderr).toBe(`synscope: ${folder}/big cannot be written: file too large.\n`);
    expect(stdout).toContain('2 of 6 handshakes failed');
    expect(status).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([['--html'], ['--annotate']])('%s in a folder that takes no files', (option) => {
    const { status, stderr } = cli.run(['read', CLIENT, option, '/proc/synscope-test']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^synscope: \/proc\/synscope-test cannot be written: .+\.\n$/);
  });

  it('replaces an earlier file only when it is whole', () => {
    const path = file('page.html', 'earlier');
    const command = `ulimit -f 4; exec ${cli.command} read ${CLIENT} --html '${path}'`;
    spawnSync('sh', ['-c', command], { cwd: root });
    expect(readFileSync(path, 'utf8')).toBe('earlier');
    expect(cli.run(['read', CLIENT, '--html', path]).status).toBe(1);
    expect(readFileSync(path, 'utf8')).not.toBe('earlier');
  });
});

describe('the output', () => {
  const COMMANDS = [
    ['read', CLIENT, '-v'],
    ['compare', CLIENT, SERVER, '-vv'],
    ['explain', 'ListenDrops'],
    ['explain', '--list'],
  ];

  it('has colours only where they are wanted', () => {
    const sign = String.fromCharCode(27);
    for (const args of COMMANDS) {
      const plain = cli.run(args).stdout;
      expect(plain).not.toContain(sign);
      const coloured = cli.run(args, { env: { FORCE_COLOR: '1' } }).stdout;
      expect(coloured).toContain(sign);
      expect(coloured.replaceAll(new RegExp(`${sign}\\[[\\d;]*m`, 'g'), '')).toBe(plain);
      expect(cli.run(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }).stdout).toBe(plain);
      expect(cli.run(args, { env: { FORCE_COLOR: '1', TERM: 'dumb' } }).stdout).not.toContain(sign);
    }
  });

  it('is as wide as COLUMNS says', () => {
    for (const args of COMMANDS) {
      for (const columns of [60, 120]) {
        const { stdout } = cli.run(args, { env: { COLUMNS: String(columns) } });
        // Commands to paste stand whole on their line.
        const lines = stdout.split('\n').filter((line) => args[0] !== 'explain' || !/^ {4}\S/.test(line));
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      }
    }
  });

  it.each([
    { LANG: 'C' },
    { LC_ALL: 'POSIX', LANG: 'en_US.UTF-8' },
    { LANG: 'de_DE.ISO-8859-1' },
  ])('is ASCII with %j', (env) => {
    for (const args of COMMANDS) expect(cli.run(args, { env }).stdout).toMatch(/^[\n\x20-\x7e]+$/);
  });

  it('may lose its reader at any time: files are written, and the exit code tells', async () => {
    const page = join(folder, 'page.html');
    const child = cli.start(['read', CLIENT, '--html', page]);
    child.stdout.destroy();
    const errors = text(child.stderr);
    expect(await exited(child)).toBe(1);
    expect(await errors).toBe('');
    expect(readFileSync(page, 'utf8')).toContain('</html>');
    for (const args of [
      ['compare', CLIENT, SERVER, '--json'],
      ['explain', '--list', '--json'],
    ]) {
      const other = cli.start(args);
      other.stdout.destroy();
      expect([await text(other.stderr), await exited(other)]).toEqual(['', args[0] === 'explain' ? 0 : 1]);
    }
  });
});

/** A capture of so many clients whose SYNs nobody answers, in the layout of classic pcap with raw IP packets. */
function unansweredSyns(count: number): Uint8Array {
  const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000065000000', 'hex');
  const syn = Buffer.from(
    '01000000000000002800000028000000' +
      '4500002800000000400600000a0000000a630001' +
      '000001bb000003e8000000005002ffff00000000',
    'hex',
  );
  const records = Array.from({ length: count }, (_, i) => {
    const record = Buffer.from(syn);
    record.writeUInt32LE(1 + i, 0);
    record.writeUInt16BE(1 + i, 16 + 14);
    record.writeUInt16BE(20_000 + i, 16 + 20);
    return record;
  });
  return Buffer.concat([header, ...records]);
}

describe('standard output', () => {
  /** A command that prints more than any pipe holds. */
  function long(): string[] {
    return ['read', file('many.pcap', unansweredSyns(2000)), '--json'];
  }

  it('gets everything, however late it is read', async () => {
    const args = long();
    const child = cli.start(args);
    const ended = exited(child);
    await setTimeout(500);
    const whole = await text(child.stdout);
    expect(whole.length).toBeGreaterThan(1_000_000);
    expect(whole).toBe(cli.run(args).stdout);
    expect(await ended).toBe(1);
  });

  it('does not keep a command from being ended when nobody reads it', async () => {
    const child = cli.start(long());
    const ended = once(child, 'exit');
    await once(child.stdout, 'readable');
    await setTimeout(100);
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    child.stdout.destroy();
  });

  it.each([
    [['read', CLIENT]],
    [['compare', CLIENT, SERVER, '--json']],
    [['--help']],
  ])('of a full disk is told in one sentence: %j', (args) => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [cli.program, ...args], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^synscope: standard output cannot be written: no space left on device; .*\.\n$/);
  });
});

describe('captures', () => {
  it('of the same name are told apart by their folders', () => {
    for (const name of ['a', 'b']) mkdirSync(join(folder, name));
    const paths = ['client', 'server'].map((name, index) => {
      const path = join(folder, index === 0 ? 'a' : 'b', 'trace.pcap');
      cpSync(join(root, 'samples/late', `${name}.pcap`), path);
      return path;
    });
    expect(json('compare', ...paths).captures.map(({ name }) => name)).toEqual(['a/trace.pcap', 'b/trace.pcap']);
    expect(cli.run(['compare', ...paths]).stdout).toContain('a/trace.pcap: 44 packets');
  });

  it('may be more than two', () => {
    const paths = ['client', 'router', 'server'].map((name) => `samples/three-points/${name}.pcap`);
    const { status, stdout } = cli.run(['compare', ...paths]);
    expect(status).toBe(1);
    expect(stdout).toContain('passed router.pcap');
    expect(stdout).toContain('Capture at a point between client.pcap and router.pcap');
  });
});

/** The exit code of a process; null when a signal ended it. */
function exited(child: ReturnType<BuiltCli['start']>): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.on('exit', (code) => resolve(code)));
}

/** A pcap capture with packets of at most so many bytes, as `tcpdump -s` makes it. */
function shortened(capture: Buffer, snapLength: number): Buffer {
  const parts: Uint8Array[] = [capture.subarray(0, 24)];
  for (let at = 24; at < capture.length; ) {
    const captured = capture.readUInt32LE(at + 8);
    const kept = Math.min(captured, snapLength);
    const header = Buffer.from(capture.subarray(at, at + 16));
    header.writeUInt32LE(kept, 8);
    parts.push(header, capture.subarray(at + 16, at + 16 + kept));
    at += 16 + captured;
  }
  return Buffer.concat(parts);
}
