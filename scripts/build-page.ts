import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const web = fileURLToPath(new URL('../web', import.meta.url));

/** Builds the page of a watch from `web/` into a folder: `index.html`, and `assets/` whose names change with their content. */
export async function buildPage(folder: string): Promise<void> {
  await build({
    configFile: false,
    root: web,
    base: '/',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      // The page's content security policy allows files of the watch, and nothing inline.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  });
  for (const part of ['preact', 'uplot']) {
    copyFileSync(join(web, '..', 'node_modules', part, 'LICENSE'), join(folder, `${part}.LICENSE`));
  }
}
