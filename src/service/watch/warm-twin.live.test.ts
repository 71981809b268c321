import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { namespacesMissing } from '../../host/testing/namespaces.ts';
import { TWIN_PROGRAM } from '../../twin/twin-process.ts';
import { NamespaceScanner } from './namespace-scan.ts';
import { WarmTwin } from './warm-twin.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: a copy that is started early: ${missing}`);

describe.skipIf(missing !== undefined)('the process of a copy', { timeout: 120_000 }, () => {
  const warm = new WarmTwin();

  afterEach(() => warm.end());

  it('is started before it is wanted, given once, and never watched', async () => {
    warm.prepare();
    warm.prepare();
    const first = warm.take();
    const second = warm.take();
    const [one, other] = await Promise.all([first, second]);
    try {
      expect(one.pid).not.toBe(other.pid);
      const own = readlinkSync('/proc/self/ns/net');
      for (const { pid } of [one, other]) {
        const inode = /\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0];
        expect(own).not.toContain(inode);
        expect(new NamespaceScanner().scan().map((found) => found.inode)).not.toContain(inode);
      }
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });

  it('is ended when nobody wanted it', async () => {
    expect(copiesOfOurs()).toEqual([]);
    warm.prepare();
    await until(() => copiesOfOurs().length === 1);
    await warm.end();
    await until(() => copiesOfOurs().length === 0);
    await warm.end();
  });
});

/** Processes of copies that this one has started. */
function copiesOfOurs(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/status`, 'utf8').includes(`\nPPid:\t${process.pid}\n`);
      return isOurs && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(TWIN_PROGRAM);
    } catch {
      return false;
    }
  });
}

async function until(isSo: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 60_000, interval: 50 });
}
