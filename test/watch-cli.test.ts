import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_V4, namespacesMissing } from '../src/host/testing/namespaces.ts';
import { root, runCli } from './run-cli.ts';
import { ON_TERMINAL } from './support/on-terminal.ts';
import { until, WatchNetwork } from './support/watch-namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: watch on the command line in network namespaces: ${missing}`);

const noPage = !existsSync(join(root, 'dist/web/index.html'));
if (noPage) console.log('skipped: the page of a watch from the command line: it is not built (npm run build)');

const PORT = 8444;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-watch-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the command line of watch', () => {
  it('says what is wrong with a configuration, and where', () => {
    const path = join(folder, 'bad.yaml');
    writeFileSync(path, 'page:\n  listen: everywhere\n');
    const { status, stderr } = runCli(['watch', '--config', path]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `synscope: ${path}, line 2: page.listen must be an address and a port such as 127.0.0.1:7321. docs/watch.md lists every setting.\n`,
    );
  });

  it.each([
    [['--config', '/nowhere.yaml'], '/nowhere.yaml cannot be read: there is no such file.'],
    [['--port', '0'], '--port takes a number from 1 to 65535, and "0" is none'],
    [['--on', 'ssh:root@web7'], '--on takes local, netns:NAME or pid:NUMBER, and "ssh:root@web7" is none of them'],
    [['--listen', 'x'], '--listen takes an address and a port such as 127.0.0.1:7321, and "x" is none'],
    [['443'], 'watch takes options only; --port 443 narrows it to a port'],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = runCli(['watch', ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

/** A running `synscope watch`. */
class RunningWatch {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], user?: number) {
    this.child = spawn(process.execPath, [`${root}src/cli/main.ts`, 'watch', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    this.child.stdout?.on('data', (text: Buffer) => {
      this.stdout += text.toString();
    });
    this.child.stderr?.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  events(): { event: string; incident: { id: number; cause: { id: string } | null; state: string } }[] {
    return this.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}

describe.skipIf(missing !== undefined)('a watch from the command line', { timeout: 180_000 }, () => {
  let network: WatchNetwork;
  let running: RunningWatch | undefined;

  beforeAll(async () => {
    network = new WatchNetwork('wc');
    await network.listen(PORT);
  });

  afterEach(() => {
    running?.child.kill('SIGKILL');
  });

  afterAll(() => {
    network?.remove();
  });

  it('prints one JSON object for each event, reads its configuration anew, and leaves nothing behind', async () => {
    const config = join(folder, 'watch.yaml');
    writeFileSync(config, `namespaces: {include: ['netns:${network.pair.server}']}\npage: {enabled: false}\n`);
    const state = join(folder, 'state');
    const instances = (): string[] =>
      readdirIfAny('/sys/kernel/tracing/instances').filter((name) => name.startsWith('synscope'));
    const before = instances().length;
    running = new RunningWatch(['--json', '--config', config, '--state', state]);
    await until('it begins', () => readdirIfAny(state).includes('control.sock'));
    // Whoever removes a namespace ends the processes whose first thread is in it (`ip netns pids`).
    const home = readlinkSync(`/proc/${running.child.pid}/ns/net`);
    const elsewhere = new Set<string>();
    const looking = setInterval(() => {
      for (let look = 0; look < 50; look++) elsewhere.add(readlinkSync(`/proc/${running?.child.pid}/ns/net`));
    }, 1);
    network.run('server', 'nft', 'add table inet wc; add chain inet wc in { type filter hook input priority 0; }');
    network.run('server', 'nft', 'add', 'rule', 'inet', 'wc', 'in', 'tcp', 'dport', String(PORT), 'drop');
    network.connect(PORT, CLIENT_V4, 9000);
    await until('an incident is opened', () => running?.events().some(({ event }) => event === 'opened'));
    clearInterval(looking);
    expect([...elsewhere]).toEqual([home]);
    expect(running.events()[0]).toMatchObject({
      schemaVersion: 1,
      command: 'watch',
      event: 'opened',
      incident: { id: 1, state: 'open', cause: { id: 'netfilter-drop-in' }, service: { port: PORT } },
    });

    writeFileSync(config, 'incidents: {closeAfter: never}\n');
    running.child.kill('SIGHUP');
    await until('it says why not', () => running?.stderr.includes('stays as it was'));
    expect(running.stderr).toContain('line 1: incidents.closeAfter must be a time');
    writeFileSync(config, `namespaces: {include: ['netns:${network.pair.server}']}\npage: {enabled: false}\n`);
    running.child.kill('SIGHUP');
    await until('it was read', () => running?.stderr.includes('was read anew'));
    expect(running.stderr).not.toContain('page on');

    running.child.kill('SIGINT');
    expect(await running.ended).toBe(0);
    expect(running.stderr).not.toContain('bug');
    expect(readdirIfAny(state)).not.toContain('control.sock');
    expect(instances().length).toBeLessThanOrEqual(before);
    expect(readFileSync('/proc/net/packet', 'utf8')).not.toContain(` ${running.child.pid} `);

    const { status, stdout } = runCli(['incidents', '--json', '--state', state]);
    if (status !== 2) expect(stdout).toContain('netfilter-drop-in');
  });

  it.skipIf(noPage)('serves its page and metrics as a configuration that is read anew says', async () => {
    const config = join(folder, 'page.yaml');
    const namespaces = `namespaces: {include: ['netns:${network.pair.server}']}\n`;
    const state = join(folder, 'page-state');
    let read = 0;
    const reload = async (text: string, says: string): Promise<void> => {
      writeFileSync(config, namespaces + text);
      running?.child.kill('SIGHUP');
      read++;
      await until(says, () => (running?.stderr.split(says).length ?? 0) > read);
    };
    const url = (): string =>
      /page on (\S+)/.exec(running?.stderr.split('\n').findLast((line) => line.includes('page on')) ?? '')?.[1] ?? '';
    const status = async (path: string): Promise<number> => (await fetch(new URL(path, url()))).status;

    writeFileSync(config, `${namespaces}page: {enabled: false}\n`);
    running = new RunningWatch(['--config', config, '--state', state]);
    await until('it begins', () => readdirIfAny(state).includes('control.sock'));
    await until('it is ready', () => running?.stderr.includes('Ctrl-C'));
    await reload('page: {listen: "127.0.0.1:0"}\n', 'was read anew');
    expect(await status('/metrics')).toBe(200);
    const first = url();
    await reload('page: {listen: "127.0.0.1:0"}\nincidents: {samples: 2}\n', 'was read anew');
    expect(url()).toBe(first);
    await reload('page: {listen: "127.0.0.1:0"}\nmetrics: {enabled: false}\n', 'was read anew');
    expect([await status('/'), await status('/metrics')]).toEqual([200, 404]);
    expect(await fetch(first).catch(() => 'gone')).toBe('gone');

    read = 0;
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    await reload(`page: {listen: "127.0.0.1:${port}"}\n`, 'stays as it was');
    taken.close();
    expect(running.stderr).toContain(`The page cannot listen on 127.0.0.1 port ${port}`);
    expect(await status('/')).toBe(200);
    expect(await status('/metrics')).toBe(404);
    read = 3;
    await reload('page: {enabled: false}\n', 'was read anew');
    expect(running.stderr).toContain('no page is served');
    expect(readdirIfAny(state)).toContain('control.sock');
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(0);
    expect(running.stderr).not.toContain('bug');
  });

  it('draws a summary on a terminal, as wide as that is', ({ skip }) => {
    if (spawnSync('python3', ['-V']).status !== 0) skip('needs Python 3');
    const steps = [
      ['nothing fails', { columns: 30 }],
      // It is drawn anew, and its first line is no longer than that (in bytes: it ends with an ellipsis).
      ['\\x1b\\[\\d+A\\r[^\\n\\x1b]{1,36}\\x1b\\[K', '\x03'],
    ];
    const watch = [process.execPath, `${root}src/cli/main.ts`, 'watch', '--no-page'];
    const place = ['--on', `netns:${network.pair.server}`, '--state', join(folder, 'drawn')];
    const argv = ['-c', ON_TERMINAL, JSON.stringify(steps), ...watch, ...place];
    const env = { ...process.env, NO_COLOR: '1', TERM: 'xterm', LC_ALL: 'C.UTF-8' };
    const { stdout } = spawnSync('python3', argv, { encoding: 'utf8', env });
    const { said, status, left } = JSON.parse(stdout) as Record<'said', string> & Record<'status' | 'left', number>;
    expect({ status, left }, said).toEqual({ status: 0, left: 0 });
    const frames = said.split(/\x1b\[\d+A\r/).map((frame) => frame.replaceAll(/\x1b\[\w|\r/g, '').split('\n'));
    expect(frames[0]?.join('\n')).toContain(`:${PORT} `);
    const widths = frames.map((lines) => Math.max(...lines.map((line) => line.length)));
    expect(widths[0]).toBeGreaterThan(30);
    expect(widths.at(-1)).toBeLessThanOrEqual(30);
  });

  it('says what it cannot see without privileges', async () => {
    running = new RunningWatch(['--no-page', '--state', `/tmp/synscope-nobody-${process.pid}`], 65534);
    await until('it begins', () => running?.stderr.includes('not seen:'));
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(running.stderr).toContain('no handshake can be seen');
    expect(running.stderr).toMatch(/not seen: packets cannot be captured.*CAP_NET_RAW/);
    rmSync(`/tmp/synscope-nobody-${process.pid}`, { recursive: true, force: true });
  });
});

function readdirIfAny(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
