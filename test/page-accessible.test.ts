import process from 'node:process';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityFaults, browserMissing, pixelsBeside, startBrowser } from './support/browser.ts';
import { demoWatch } from './support/demo-watch.ts';
import { emptyWatch, type ServedPage, servePage } from './support/serve-page.ts';

if (browserMissing !== undefined) console.log(`test/page-accessible.test.ts: skipped, ${browserMissing}`);

/** Two show both sizes and both schemes; with --full all. */
const SCREENS: Readonly<Record<string, BrowserContextOptions>> = {
  ...(process.env.FULL === '1' ? { light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } } } : {}),
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
};

/** Views, each with how to bring it about and how to see that it is there. */
const VIEWS: Readonly<Record<string, (page: Page, base: string) => Promise<void>>> = {
  overview: async (page, base) => {
    await page.goto(base);
    await page.getByText('failing').waitFor();
    await page.getByText('Failures as numbers').click();
  },
  incidents: async (page, base) => {
    await page.goto(`${base}/incidents?cause=no-return-route`);
    await page.getByText('1 incident').waitFor();
  },
  'an incident with the preview of its repair': async (page, base) => {
    await page.goto(`${base}/incidents/42`);
    await page.getByText(/\d+ more/).click();
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: 'Do it and verify it' }).waitFor();
  },
  live: async (page, base) => {
    await page.goto(`${base}/live`);
    await page.getByText('No SYN since').waitFor();
  },
  causes: async (page, base) => {
    await page.goto(`${base}/causes`);
    await page.getByRole('link', { name: 'no return route' }).waitFor();
  },
  'a cause': async (page, base) => {
    await page.goto(`${base}/causes/no-return-route`);
    await page.getByRole('heading', { name: 'Met here' }).waitFor();
    await page.getByRole('link', { name: 'The server has no route back' }).waitFor();
  },
  login: async (page, base) => {
    await page.goto(`${base}/login`);
    await page.getByLabel('Token').waitFor();
  },
  search: async (page, base) => {
    await page.goto(base);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('combobox').fill('queue');
    await page.getByRole('option').first().waitFor();
  },
  help: async (page, base) => {
    await page.goto(`${base}/causes`);
    await page.getByText('The server has no route back to the client', { exact: true }).waitFor();
    await page.keyboard.press('?');
    await page.getByText('search everything').waitFor();
  },
  'what does not exist': async (page, base) => {
    await page.goto(`${base}/incidents/4711`);
    await page.getByText('Incident 4711 is not here').waitFor();
  },
};

describe.skipIf(browserMissing !== undefined)('the page', () => {
  let browser: Browser;
  let served: ServedPage;
  let bare: ServedPage;

  beforeAll(async () => {
    [browser, served, bare] = await Promise.all([startBrowser(), demoWatch().then(servePage), servePage(emptyWatch())]);
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all([served?.close(), bare?.close()]);
  });

  describe.each(Object.entries(SCREENS))('%s', (_, screen) => {
    async function look(base: string, bring: (page: Page, base: string) => Promise<void>): Promise<void> {
      const context = await browser.newContext({ ...screen, reducedMotion: 'reduce' });
      try {
        const page = await context.newPage();
        page.setDefaultTimeout(60_000);
        await bring(page, base);
        expect(await accessibilityFaults(page)).toEqual([]);
        expect(await pixelsBeside(page), 'pixels beside the screen').toBeLessThanOrEqual(0);
      } finally {
        await context.close();
      }
    }

    it.each(Object.entries(VIEWS))('%s', (_, bring) => look(served.base, bring));

    it('a watch that has nothing to tell', () =>
      look(bare.base, async (page, base) => {
        await page.goto(base);
        await page.getByText('Nothing listens on this host.').waitFor();
      }));

    it('a watch that is gone', async () => {
      const gone = await servePage(emptyWatch());
      await look(gone.base, async (page, base) => {
        await page.goto(`${base}/incidents`);
        await page.getByText('No incident yet.').waitFor();
        await gone.close();
        await page.getByText('Connection lost').waitFor();
      });
    });
  });
});
