import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../src/host/testing/namespaces.ts';
import { BuiltCli } from './built-cli.ts';
import { browserMissing, startBrowser, watchMisdeeds } from './support/browser.ts';

const missing = browserMissing ?? namespacesMissing();
if (missing !== undefined) console.log(`test/page-live.test.ts: skipped, ${missing}`);

const PORT = 8443;
/** An address of the client that the server reaches only by its default route. */
const FAR_CLIENT = 'fd99::1';

describe.skipIf(missing !== undefined)('the page of a real watch', () => {
  let folder: string;
  let built: BuiltCli;
  let browser: Browser;
  let pair: NamespacePair;
  let page: Page;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-page-live-'));
    built = new BuiltCli(folder);
    browser = await startBrowser();
  });

  beforeEach(() => {
    pair = makeNamespacePair('pg');
  });

  afterEach(async () => {
    await page?.close();
    await Promise.all(children.splice(0).map(end));
    pair.remove();
  });

  afterAll(async () => {
    await browser?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('tells of a firewall that begins to drop, as it happens', async () => {
    const misdeeds = await openPage();
    connect(SERVER_V4);
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('row', { name: /answered 10\.77\.0\.2/ }).waitFor();

    const rule = `add rule inet fw input tcp dport ${PORT} drop`;
    run('nft', `add table inet fw; add chain inet fw input { type filter hook input priority 0; }; ${rule}`);
    connect(SERVER_V4);
    await page.getByRole('row', { name: /failed 10\.77\.0\.2/ }).waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('heading', { level: 1, name: /^1 thing keeps connections to/ }).waitFor();
    await page
      .locator('.open-incidents')
      .getByRole('link', { name: /packet filter drops/ })
      .click();
    await page.getByRole('heading', { level: 1, name: new RegExp(`packet filter drops .* port ${PORT}`) }).waitFor();
    const ladder = page.getByRole('img', { name: 'Ladder of the handshake' });
    expect(await ladder.locator('desc').textContent()).toContain('SYN to the server, no answer');
    expect(await page.locator('.evidence').first().innerText()).toContain(`tcp dport ${PORT} drop`);
    expect(await page.locator('.networks').innerText()).toContain('10.77.0.0/24');
    expect(misdeeds).toEqual([]);
  });

  it('repairs a lost default route, and sees a handshake come up', async () => {
    run('ip', '-6', 'route', 'add', 'default', 'via', CLIENT_V6, 'dev', 'eth0');
    spawnSync('ip', ['-n', pair.client, '-6', 'addr', 'add', `${FAR_CLIENT}/128`, 'dev', 'lo']);
    const misdeeds = await openPage();
    run('ip', '-6', 'route', 'del', 'default');
    connect(SERVER_V6, FAR_CLIENT);
    await page
      .locator('.open-incidents')
      .getByRole('link', { name: /no route back to fd99::1/ })
      .click();
    await page
      .locator('.changes')
      .getByText(/default via fd77::2 dev eth0.* deleted/)
      .waitFor();
    await page.getByRole('button', { name: 'Preview' }).first().click();
    await page.locator('.plan').getByText('Then it is verified:').waitFor();
    expect(await page.locator('.plan').innerText()).toContain('ip -6 route add default via fd77::2 dev eth0');
    await page.getByRole('button', { name: 'Do it and verify it' }).click();
    // The plan is shown, the client goes on to try: what verifies the repair is its next SYN.
    connect(SERVER_V6, FAR_CLIENT);
    await page.getByText('Done and verified:').waitFor();
    await page.locator('.repairs').getByText('done and verified').waitFor();
    expect(spawnSync('ip', ['-n', pair.server, '-6', 'route'], { encoding: 'utf8' }).stdout).toMatch(
      /^default via fd77::2 dev eth0/m,
    );
    expect(misdeeds).toEqual([]);
  });

  /** Starts a server and a watch of its namespace, and opens the page. */
  async function openPage(): Promise<readonly string[]> {
    const program = `require('node:net').createServer(() => {}).listen(${PORT}, '::', 511, () => console.log('up'))`;
    await outputOf(inNamespace(pair.server, process.execPath, '-e', program), /up/);
    const watch = built.start([
      ...['watch', '--on', `netns:${pair.server}`, '--state', mkdtempSync(join(folder, 'state-'))],
      ...['--listen', '127.0.0.1:0'],
    ]);
    children.push(watch);
    const [url] = await outputOf(watch, /http:\/\/127\.0\.0\.1:\d+\//);
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const misdeeds = watchMisdeeds(page, new URL(url).origin);
    await page.goto(url);
    await page.getByRole('row', { name: new RegExp(`:${PORT} in netns:${pair.server}`) }).waitFor();
    await page.getByRole('heading', { level: 1, name: /^No connection of .* fails$/ }).waitFor();
    return misdeeds;
  }

  function inNamespace(name: string, ...argv: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  }

  /** Tries to connect until the test ends: several SYNs, as a real client sends them. */
  function connect(host: string, localAddress?: string): void {
    const options = JSON.stringify({ host, port: PORT, localAddress });
    inNamespace(pair.client, process.execPath, '-e', `require('node:net').connect(${options})`);
  }

  /** Runs a program in the namespace of the server. */
  function run(...argv: string[]): void {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', pair.server, ...argv], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
});

/** Waits until a program says something. */
function outputOf(child: ChildProcess, wanted: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = (text: Buffer): void => {
      said += text.toString();
      const found = wanted.exec(said);
      if (found !== null) resolve(found);
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', (status) => reject(new Error(`it ended with ${status}: ${said}`)));
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
  });
}
