import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { root } from '../run-cli.ts';

const path: string = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();

/** Why no browser can be started; absent when one can. */
export const browserMissing: string | undefined =
  path === '' ? 'chromium is not installed (apt-get install chromium)' : undefined;

/** Starts Debian's Chromium without a window. */
export function startBrowser(): Promise<Browser> {
  // Its sandbox does not work for root; the pages are our own.
  return chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
}

const axe: string = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong with what the page shows now, one line for each element. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<AxeResults>(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ html, failureSummary = '' }) => `${id}: ${help}: ${html.slice(0, 160)} (${failureSummary.slice(0, 200)})`,
    ),
  );
}

/** What the page may not do: errors in its console or its scripts, requests to anywhere but to the watch. */
export function watchMisdeeds(page: Page, origin: string): readonly string[] {
  const misdeeds: string[] = [];
  page.on('pageerror', ({ message }) => misdeeds.push(`error: ${message}`));
  page.on('console', (message) => {
    // Answers from 400 on are logged by the browser itself, and tests provoke them.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      misdeeds.push(`console: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) misdeeds.push(`request: ${request.url()}`);
  });
  return misdeeds;
}

/** How far the page reaches beyond the right edge of the screen. */
export function pixelsBeside(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}
