import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeNamespacePair, type NamespacePair, namespacesMissing, SERVER_V4 } from '../src/host/testing/namespaces.ts';
import { BuiltCli } from './built-cli.ts';
import { browserMissing, startBrowser, watchMisdeeds } from './support/browser.ts';

const missing = browserMissing ?? namespacesMissing();
if (missing !== undefined) console.log(`test/page-live.test.ts: skipped, ${missing}`);

const PORT = 8443;

describe.skipIf(missing !== undefined)('the page of a real watch', () => {
  let folder: string;
  let pair: NamespacePair;
  let browser: Browser;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-page-live-'));
    pair = makeNamespacePair('pg');
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all(children.map(end));
    pair?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('tells of a firewall that begins to drop, as it happens', async () => {
    const program = `require('node:net').createServer(() => {}).listen(${PORT}, '0.0.0.0', 511, () => console.log('up'))`;
    await outputOf(inNamespace(pair.server, process.execPath, '-e', program), /up/);
    const url = await startWatch();
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const misdeeds = watchMisdeeds(page, new URL(url).origin);
    await page.goto(url);
    await page.getByRole('row', { name: new RegExp(`:${PORT} in netns:${pair.server}`) }).waitFor();
    await page.getByRole('heading', { level: 1, name: /^No connection to .* fails$/ }).waitFor();

    connect();
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('row', { name: /answered 10\.77\.0\.2/ }).waitFor();

    block();
    connect();
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

  async function startWatch(): Promise<string> {
    const built = join(folder, 'built');
    mkdirSync(built);
    const watch = new BuiltCli(built).start([
      ...['watch', '--on', `netns:${pair.server}`, '--state', join(folder, 'state'), '--listen', '127.0.0.1:0'],
    ]);
    children.push(watch);
    return (await outputOf(watch, /http:\/\/127\.0\.0\.1:\d+\//))[0];
  }

  function inNamespace(name: string, ...argv: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  }

  /** Tries to connect until the test ends: several SYNs, as a real client sends them. */
  function connect(): void {
    inNamespace(pair.client, process.execPath, '-e', `require('node:net').connect(${PORT}, '${SERVER_V4}')`);
  }

  function block(): void {
    const rules = `add table inet fw; add chain inet fw input { type filter hook input priority 0; }; add rule inet fw input tcp dport ${PORT} drop`;
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', pair.server, 'nft', rules], { encoding: 'utf8' });
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
