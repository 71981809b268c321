import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../src/host/testing/namespaces.ts';
import { root, runCli } from './run-cli.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: listen and connect in network namespaces: ${missing}`);

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/capture-report.schema.json'), 'utf8')) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);
const PORT = 8443;

/** What a report says, as far as these tests look. */
interface Report {
  readonly headline: string;
  readonly host: string;
  readonly diagnoses: readonly {
    readonly cause: { readonly id: string; readonly status: string } | null;
    readonly place: string;
    readonly supposed?: true;
    readonly handshake: { readonly outcome: string };
    readonly remedies: readonly { readonly commands: readonly string[] }[];
    readonly ruledOut: readonly { readonly id: string }[];
  }[];
}

function report(stdout: string): Report {
  const value = JSON.parse(stdout) as Report;
  expect(validate(value), JSON.stringify(validate.errors?.slice(0, 3))).toBe(true);
  return value;
}

describe.skipIf(missing !== undefined)('a server and its client', () => {
  let pair: NamespacePair;
  let server: ChildProcess;
  let folder: string;
  const inServer = (...argv: string[]): void => {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', pair.server, ...argv], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-live-'));
    pair = makeNamespacePair('lv');
    const program = `require('node:net').createServer(() => {}).listen(${PORT}, '::', 511, () => console.log('up'))`;
    server = spawn('ip', ['netns', 'exec', pair.server, process.execPath, '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => server.stdout?.once('data', resolve));
  });

  afterAll(() => {
    server?.kill();
    pair?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** Runs `listen` while a client tries to connect again and again. */
  async function watchWhileClientTries(...more: readonly string[]): Promise<{ stdout: string; status: number | null }> {
    const listen = ['listen', String(PORT), '--on', `netns:${pair.server}`, '--for', '20s', '--json', ...more];
    const watch = spawn(process.execPath, [`${root}src/cli/main.ts`, ...listen]);
    let stdout = '';
    watch.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    const ended = new Promise<number | null>((resolve) => watch.on('close', resolve));
    const tries = `setInterval(() => require('node:net').connect(${PORT}, '${SERVER_V4}').on('error', () => {}), 700)`;
    const client = spawn('ip', ['netns', 'exec', pair.client, process.execPath, '-e', tries]);
    try {
      return { status: await ended, stdout };
    } finally {
      client.kill();
    }
  }

  it.each([CLIENT_V4, CLIENT_V6])('would answer %s, and nothing is named', (client) => {
    const { status, stdout } = runCli([
      'listen',
      String(PORT),
      '--from',
      client,
      '--on',
      `netns:${pair.server}`,
      '--json',
    ]);
    const { diagnoses, host } = report(stdout);
    expect(diagnoses).toMatchObject([{ cause: null, supposed: true }]);
    expect(host).toBe(`netns:${pair.server}`);
    expect(status).toBe(0);
  });

  it.each([SERVER_V4, `[${SERVER_V6}]`])('connects to %s', (address) => {
    const { status, stdout } = runCli(['connect', `${address}:${PORT}`, '--on', `netns:${pair.client}`, '--json']);
    expect(report(stdout).diagnoses).toMatchObject([{ cause: null, handshake: { outcome: 'established' } }]);
    expect(status).toBe(0);
  });

  it('is refused on a port where nothing listens, and the server says so', () => {
    const client = runCli(['connect', `${SERVER_V4}:${PORT + 1}`, '--on', `netns:${pair.client}`, '--json']);
    expect(report(client.stdout).diagnoses).toMatchObject([{ place: 'server', handshake: { outcome: 'refused' } }]);
    expect(client.status).toBeGreaterThan(0);
    const { status, stdout } = runCli([
      'listen',
      String(PORT + 1),
      '--from',
      CLIENT_V4,
      '--on',
      `netns:${pair.server}`,
      '--json',
    ]);
    expect(report(stdout).diagnoses).toMatchObject([{ cause: { id: 'no-listener', status: 'confirmed' } }]);
    expect(status).toBe(1);
  });

  it('judges a recording as the host itself', () => {
    const file = join(folder, 'server.synscope');
    const recorded = runCli([
      'record',
      '-o',
      file,
      '--on',
      `netns:${pair.server}`,
      '--port',
      String(PORT),
      '--from',
      CLIENT_V6,
    ]);
    expect(recorded).toMatchObject({ status: 0 });
    const live = runCli(['listen', String(PORT), '--from', CLIENT_V6, '--on', `netns:${pair.server}`, '--json']);
    const replayed = runCli(['listen', String(PORT), '--from', CLIENT_V6, '--on', `bundle:${file}`, '--json']);
    // Times pass, and so a neighbour grows stale.
    const bare = (text: string): string =>
      text
        .replace(/"(startedAt|endedAt|firstAt|lastAt)":"[^"]*"/g, '')
        .replace(/"host": ".*"/, '')
        .replace(/\b(REACHABLE|STALE|DELAY|PROBE)\b/g, 'KNOWN');
    expect(bare(replayed.stdout)).toBe(bare(live.stdout));
    expect(replayed.status).toBe(live.status);
  });

  it('names the rule that drops the SYN, watched and supposed alike', async () => {
    inServer(
      'nft',
      `add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in tcp dport ${PORT} counter drop`,
    );
    try {
      const supposed = runCli(['listen', String(PORT), '--from', CLIENT_V4, '--on', `netns:${pair.server}`, '--json']);
      expect(report(supposed.stdout).diagnoses).toMatchObject([
        { cause: { id: 'netfilter-drop-in', status: 'confirmed' } },
      ]);
      const { stdout, status } = await watchWhileClientTries();
      expect(status).toBe(1);
      const [first] = report(stdout).diagnoses;
      expect(first).toMatchObject({
        cause: { id: 'netfilter-drop-in', status: 'confirmed' },
        handshake: { outcome: 'no-reply' },
        place: 'server',
      });
      expect(first?.remedies.flatMap(({ commands }) => commands).join('\n')).toContain('nft insert rule inet t in');
      expect(first?.ruledOut.map(({ id }) => id)).toContain('accept-queue-full');
    } finally {
      inServer('nft', 'delete table inet t');
    }
  });

  it('lets the kernel name a rule that cannot be evaluated, when it may, and leaves nothing behind', async () => {
    inServer(
      'nft',
      `add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in tcp dport ${PORT} numgen inc mod 1000 != 999 drop`,
    );
    try {
      for (const [more, status] of [
        [[], 'likely'],
        [['--allow-changes'], 'confirmed'],
      ] as const) {
        const { stdout } = await watchWhileClientTries(...more);
        expect(report(stdout).diagnoses).toMatchObject([{ cause: { id: 'netfilter-drop-in', status } }]);
        expect(stdout.includes('nft monitor trace')).toBe(status === 'confirmed');
      }
      const tables = spawnSync('ip', ['netns', 'exec', pair.server, 'nft', 'list', 'tables'], { encoding: 'utf8' });
      expect(tables.stdout.trim()).toBe('table inet t');
    } finally {
      inServer('nft', 'delete table inet t');
    }
  });

  it('says that no SYN came, and gives up on time', () => {
    const { status, stdout } = runCli([
      'listen',
      String(PORT),
      '--on',
      `netns:${pair.server}`,
      '--for',
      '500ms',
      '--json',
    ]);
    expect(report(stdout).headline).toContain('No SYN');
    expect(status).toBe(3);
  });
});

describe('a host that is not there', () => {
  it.each([
    [['listen', '443', '--on', 'netns:no-such-namespace'], 'no-such-namespace'],
    [['listen', '443', '--on', 'bundle:/no/such/file'], '/no/such/file'],
    [['listen', '443', '--on', 'teapot:1'], 'teapot'],
    [['connect', 'example.com'], 'example.com'],
  ])('%j says what is wrong in one line', (args, named) => {
    const { status, stdout, stderr } = runCli(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(named);
  });
});
