import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildPage } from '../scripts/build-page.ts';
import type { Incident } from '../src/model/incident.ts';
import { browserMissing, pixelsBeside, startBrowser, watchMisdeeds } from './support/browser.ts';
import { type DemoWatch, demoWatch } from './support/demo-watch.ts';
import { now } from './support/fake-watch.ts';
import { HOSTILE, hostileWatch } from './support/hostile-watch.ts';
import { type ServedPage, servePage } from './support/serve-page.ts';

if (browserMissing !== undefined) console.log(`test/page.test.ts: skipped, ${browserMissing}`);

it('is small', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-page-'));
  try {
    await buildPage(folder);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(html|js|css|svg)$/.test(name),
    );
    const bytes = files.map((name) => gzipSync(readFileSync(join(folder, name))).length);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
    const html = readFileSync(join(folder, 'index.html'), 'utf8');
    expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)| on[a-z]+=|data:/i);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe.skipIf(browserMissing !== undefined)('the page of a watch', () => {
  let browser: Browser;
  let watch: DemoWatch;
  let served: ServedPage;
  const contexts: BrowserContext[] = [];
  let misdeeds: readonly string[] = [];

  beforeAll(async () => {
    [browser, watch] = await Promise.all([startBrowser(), demoWatch()]);
    served = await servePage(watch);
  });

  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    // Whatever a test does: no error, nothing that the content security policy forbids, no word to anybody else.
    expect(misdeeds).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  async function open(path: string, options: BrowserContextOptions = {}, on: ServedPage = served): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    misdeeds = watchMisdeeds(page, on.base);
    await page.goto(on.base + path);
    return page;
  }

  it('says first what is wrong, and changes as it changes', async () => {
    const page = await open('/');
    await page.getByRole('heading', { name: '2 things keep connections to web7 from coming up; 1 warning' }).waitFor();
    await page.locator('canvas').first().waitFor();
    await page.locator('.lanes').getByText('#42 no return route').waitFor();
    const row = page.getByRole('row', { name: /nginx :443/ });
    expect(await row.innerText()).toMatch(/failing\s+#41\s*#42/);
    const incident = watch.view.incidents.get(41)!;
    const closed: Incident = { ...incident, state: 'closed', closedNs: now(), closedBecause: 'it was repaired' };
    await watch.history.saveIncident(closed);
    watch.view.tellIncident(closed);
    await page.getByRole('heading', { name: '1 thing keeps connections to web7 from coming up; 1 warning' }).waitFor();
    await watch.history.saveIncident(incident);
    watch.view.tellIncident(incident);
    await page.getByRole('heading', { name: /^2 things/ }).waitFor();
    watch.view.tellListeners([{ ...watch.view.health[0]!, acceptQueue: { waiting: 600, limit: 511 } }]);
    await page.getByText('600 of 511').waitFor();
  });

  it('adds what is counted to the chart', async () => {
    const page = await open('/?range=15m');
    const failed = page.locator('.legend .bad');
    await failed.waitFor();
    const before = Number((await failed.innerText()).replace(/\D/g, ''));
    const service = watch.view.health[0]!.service;
    watch.view.tellCounts([
      { atNs: now() - 10_000_000_000n, intervalMs: 10_000, service, answered: 0, refused: 0, failed: 1000 },
    ]);
    await page.getByText(`failed ${(before + 1000).toLocaleString('en')}`).waitFor();
    await page.getByText('Failures as numbers').click();
    await page
      .getByRole('cell', { name: /^100\/s$|^[1-9]\d\.\d\/s$/ })
      .first()
      .waitFor();
  });

  it('tells an incident: verdict, ladder, evidence, what changed, what was ruled out', async () => {
    const page = await open('/incidents/42');
    await page.getByRole('heading', { level: 1, name: /^The server has no route back to/ }).waitFor();
    const ladder = page.getByRole('img', { name: 'Ladder of the handshake' });
    expect(await ladder.locator('desc').textContent()).toContain('SYN to the server, no answer');
    const text = await page.locator('main').innerText();
    const order = ['The server has no route back', 'Because', 'ListenDrops', 'What changed just before', 'Ruled out'];
    expect([...order].sort((one, other) => text.indexOf(one) - text.indexOf(other))).toEqual(order);
    expect(text).toMatch(/default via 198\.19\.255\.44 dev enp1s0 deleted\s+14 s before/);
    expect(await page.title()).toBe('Incident 42 · synscope');
  });

  it('shows a repair before it is done, does it, and tells how it went', async () => {
    const page = await open('/incidents/42');
    served.repairer.outcome = 'verified';
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('Then it is verified:').waitFor();
    expect(served.repairer.applied).toEqual([]);
    expect(await page.locator('.plan').innerText()).toContain('ip route add default via 198.19.255.44 dev enp1s0');
    await page.getByRole('button', { name: 'Do it and verify it' }).click();
    await page.getByText('Done and verified:').waitFor();
    expect(served.repairer.applied).toEqual([{ incidentId: 42, remedyId: 'add-default-route' }]);
  });

  it('does nothing when the plan is another one by now', async () => {
    const page = await open('/incidents/42');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: 'Do it and verify it' }).waitFor();
    served.repairer.planId = 'another';
    const before = served.repairer.applied.length;
    await page.getByRole('button', { name: 'Do it and verify it' }).click();
    await page.getByRole('alert').waitFor();
    expect(served.repairer.applied).toHaveLength(before);
    await page.getByRole('button', { name: 'Preview again' }).click();
    await page.getByRole('button', { name: 'Do it and verify it' }).waitFor();
  });

  it('says why a repair is refused, and offers none', async () => {
    const page = await open('/incidents/42');
    served.repairer.refused = 'this host is reached through that very route';
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('this host is reached through that very route').waitFor();
    expect(await page.getByRole('button', { name: 'Do it and verify it' }).count()).toBe(0);
    delete served.repairer.refused;
  });

  it('filters incidents, and keeps the filters in the address', async () => {
    const page = await open('/incidents');
    await page.getByText('6 incidents').waitFor();
    await page.getByLabel('State').selectOption('closed');
    await page.getByText('3 incidents').waitFor();
    await page.getByLabel('Words').fill('scan');
    await page.getByText('1 incident', { exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe('?state=closed&text=scan');
    await page.reload();
    await page.getByText('1 incident', { exact: true }).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'CSV' }).click();
    const file = readFileSync(await (await download).path(), 'utf8');
    expect(file.trim().split('\n')).toHaveLength(2);
    expect(file).toContain('A port scan: 192.0.2.77');
    await page.getByLabel('Words').fill('nothing like it');
    await page.getByRole('button', { name: 'Show all incidents' }).click();
    await page.getByText('6 incidents').waitFor();
  });

  it('shows fates as they come, holds them still, and keeps a bounded number', async () => {
    const page = await open('/live');
    await page.getByText('No SYN since').waitFor();
    const service = watch.view.health[0]!.service;
    const tell = (from: number, to: number): void => {
      for (let each = from; each < to; each += 1) {
        watch.view.tellFate({
          atNs: now(),
          service,
          client: `203.0.113.${each}`,
          fate: each % 2 ? 'failed' : 'answered',
        });
      }
    };
    tell(0, 20);
    await page.getByText('203.0.113.19').waitFor();
    await page.getByLabel('answered').uncheck();
    expect(await page.getByText('203.0.113.18').count()).toBe(0);
    await page.getByLabel('answered').check();
    await page.keyboard.press('p');
    await page.getByText('Paused. 0 came since.').waitFor();
    tell(20, 40);
    await page.getByText('Paused. 20 came since.').waitFor();
    expect(await page.getByText('203.0.113.39').count()).toBe(0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('203.0.113.39').waitFor();
    expect(await page.locator('tbody tr').count()).toBeLessThanOrEqual(100);
  });

  it('can be used with the keyboard alone', async () => {
    const page = await open('/');
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    expect(await page.locator('.skip').evaluate((link) => link.getBoundingClientRect().top)).toBeGreaterThanOrEqual(0);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.keyboard.press('g');
    await page.keyboard.press('i');
    await page.getByRole('heading', { level: 1, name: 'Incidents' }).waitFor();
    await page.getByText('6 incidents').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: /^The server has no route back/ }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('rp filter strict');
    await page
      .getByRole('option', { name: /rp filter strict/ })
      .first()
      .waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.getByLabel('Single keys do something').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    expect(await page.locator('dialog').count()).toBe(0);
  });

  it('shows where the focus is on everything that can have it', async () => {
    const page = await open('/incidents/42');
    await page.getByRole('button', { name: 'Preview' }).waitFor();
    const stops = new Set<string>();
    for (let each = 0; each < 40; each += 1) {
      await page.keyboard.press('Tab');
      const focused = page.locator('*:focus:not(body)');
      if ((await focused.count()) === 0) break;
      const what = await focused.evaluate((element) => element.outerHTML.slice(0, 80));
      stops.add(what);
      expect(await focused.evaluate('(element) => getComputedStyle(element).outlineStyle'), what).not.toBe('none');
    }
    expect(stops.size).toBeGreaterThan(15);
  });

  it('finds causes, incidents, listeners and words', async () => {
    const page = await open('/causes');
    await page.getByLabel('Search the causes').fill('accept queue');
    await page.getByRole('link', { name: 'accept queue full' }).waitFor();
    expect(await page.getByRole('link', { name: 'no return route' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.keyboard.type('ListenDrops');
    await page.locator('.words').getByText('ListenDrops', { exact: true }).waitFor();
    await page.getByRole('combobox').fill('#42');
    await page.getByRole('option', { name: /#42/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: /^The server has no route back/ }).waitFor();
  });

  it('follows the system between light and dark, and remembers what was chosen instead', async () => {
    const page = await open('/', { colorScheme: 'dark' });
    const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    await page.getByRole('heading', { level: 1 }).waitFor();
    const dark = await background();
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await background();
    expect(light).not.toBe(dark);
    await page.keyboard.press('t');
    expect(await background()).toBe(dark);
    await page.reload();
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await background()).toBe(dark);
    await page.getByRole('button', { name: 'Light theme' }).click();
    expect(await background()).toBe(light);
  });

  it('says that the connection is lost, and is live again when the watch is back', async () => {
    const first = await servePage(watch);
    const page = await open('/', {}, first);
    await page.getByText('live', { exact: true }).waitFor();
    await first.close();
    await page.getByText('Connection lost.').waitFor();
    // What is known stays to be read.
    await page.getByRole('heading', { name: /keep connections to web7/ }).waitFor();
    await page.getByRole('button', { name: /^Try/ }).waitFor();
    const second = await servePage(watch, { port: first.port });
    try {
      // The page may be faster by itself.
      await page
        .getByRole('button', { name: /^Try now/ })
        .click({ timeout: 2000 })
        .catch(() => undefined);
      await page.getByText('live', { exact: true }).waitFor();
      expect(await page.getByText('Connection lost.').count()).toBe(0);
    } finally {
      await second.close();
    }
  });

  it('lets in who has the token, and nobody else', async () => {
    const guarded = await servePage(watch, { token: 'correct horse battery staple' });
    try {
      const page = await open('/incidents/42', {}, guarded);
      await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
      await page.getByLabel('Token').fill('wrong');
      await page.keyboard.press('Enter');
      await page.getByText('That is not the token of this watch.').waitFor();
      await page.getByLabel('Token').fill('correct horse battery staple');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: /^The server has no route back/ }).waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
      await page.goto(`${guarded.base}/login?next=//evil.example/`);
      await page.getByLabel('Token').fill('correct horse battery staple');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('heading', { level: 1, name: /keep connections to web7/ }).waitFor();
      expect(new URL(page.url()).href).toBe(`${guarded.base}/`);
    } finally {
      await guarded.close();
    }
  });

  it('shows hostile names as what they are', async () => {
    const hostile = await hostileWatch();
    const page = await open('/', { viewport: { width: 360, height: 740 } }, await hostileServed(hostile));
    await page.exposeFunction('owned', () => Promise.reject(new Error('a foreign script ran')));
    for (const path of ['/', '/incidents', '/incidents/1', '/live']) {
      await page.goto(new URL(path, page.url()).href);
      await page.getByText('live', { exact: true }).waitFor();
      const service = hostile.view.health[0]!.service;
      hostile.view.tellFate({ atNs: now(), service, client: HOSTILE, fate: 'failed', causeId: HOSTILE });
      await page.getByText('img src=x').first().waitFor();
      expect(await page.locator('main img, main script, main iframe').count(), path).toBe(0);
      expect(await pixelsBeside(page), path).toBeLessThanOrEqual(0);
      const text = await page.content();
      for (const raw of ['\u202e', '\u2066', '\u200b', '\u001b', '\0']) expect(text.includes(raw), path).toBe(false);
    }
  });

  async function hostileServed(hostile: DemoWatch): Promise<ServedPage> {
    const page = await servePage(hostile);
    contexts.push({ close: () => page.close() } as unknown as BrowserContext);
    return page;
  }
});
