import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type Koffi, loadKoffi } from './load-koffi.ts';

const COMPILED = `@koromix/koffi-${process.platform}-${process.arch}`;

let folder: string | undefined;
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What is loaded where these packages are installed: each says its own name. */
async function loadedFrom(packages: Readonly<Record<string, string>>): Promise<unknown> {
  folder = mkdtempSync(join(tmpdir(), 'synscope-koffi-'));
  cpSync(join(import.meta.dirname, 'load-koffi.ts'), join(folder, 'load-koffi.ts'));
  for (const [name, version] of Object.entries(packages)) {
    const at = join(folder, 'node_modules', name);
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'index.js'), `module.exports = { name: '${name}', version: '${version}' };`);
  }
  const { loadKoffi: load } = (await import(pathToFileURL(join(folder, 'load-koffi.ts')).href)) as {
    loadKoffi: () => unknown;
  };
  return load();
}

describe('koffi', () => {
  it('is its compiled part, as it is loaded otherwise', () => {
    const whole = createRequire(import.meta.url)('koffi') as Koffi & { version: string };
    const { version, load } = loadKoffi() as typeof whole;
    expect(version).toBe(whole.version);
    expect(load(null).func('int getpid()')()).toBe(process.pid);
  });

  it('is the whole library where the compiled part is not at hand', async () => {
    expect(await loadedFrom({ koffi: '3.0.0' })).toMatchObject({ name: 'koffi' });
  });

  it('is the whole library where the compiled part is of a later release', async () => {
    expect(await loadedFrom({ koffi: '4.0.0', [COMPILED]: '4.0.0' })).toMatchObject({ name: 'koffi' });
    expect(await loadedFrom({ koffi: '3.9.0', [COMPILED]: '3.9.0' })).toMatchObject({ name: COMPILED });
  });
});
