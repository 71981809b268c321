/**
 * Builds src into dist: `npm run build`. What it leaves there is exactly what the package contains: the library, its types, and
 * the command line in a few files with all that it needs, because every file that is loaded adds to every start, and the page
 * of a watch.
 *   node scripts/build.ts [FOLDER]   into that folder instead of dist
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'rolldown';
import { buildPage } from './build-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));
const startedAt = new Date();
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies?: Readonly<Record<string, string>>;
};

const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', dist],
  { cwd: root, stdio: 'inherit' },
);
if (status === 0) {
  await bundle({ index: 'src/index.ts' }, dist, 'esm', 'js');
  // CommonJS, as Node's loader for it takes half the time, and loads less of Node itself. Commands load what they need late.
  const entries = {
    main: 'src/cli/main.ts',
    'track-worker': 'src/collect/track-worker.ts',
    'lab-actor': 'lab/actors/actor.ts',
    'twin-runner': 'src/twin/runner.ts',
    'watch-thread': 'src/cli/watch-thread.ts',
    'history-worker': 'src/service/history/history-worker.ts',
  };
  await bundle(entries, join(dist, 'cli'), 'cjs', 'cjs');
  copyFileSync(join(root, 'node_modules/commander/LICENSE'), join(dist, 'cli', 'commander.LICENSE'));
  await buildPage(join(dist, 'web'));
  removeOrphans();
  // The stamp bears the time of the start: a source that was saved during the build makes the next one build again.
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, '.stamp'), '');
  utimesSync(join(dist, '.stamp'), startedAt, startedAt);
} else {
  process.exitCode = status ?? 1;
}

/** Joins the modules that each entry loads at once to one file, and what it may load later to others. */
async function bundle(
  input: Readonly<Record<string, string>>,
  dir: string,
  format: 'esm' | 'cjs',
  extension: string,
): Promise<void> {
  await build({
    cwd: root,
    input,
    platform: 'node',
    // What is installed next to the package is not put into it: native code must be.
    external: Object.keys(manifest.dependencies ?? {}),
    logLevel: 'warn',
    optimization: { inlineConst: { mode: 'all' } },
    plugins: [exportValues()],
    output: {
      dir,
      format,
      comments: false,
      entryFileNames: `[name].${extension}`,
      chunkFileNames: `[name].${extension}`,
    },
  });
}

/**
 * Makes what a CommonJS chunk exports plain values, where the bundler wrote getters: nothing is assigned to once its module ran, and the
 * call of a getter for each use of a function of another chunk took a tenth of the time of reading a capture.
 */
function exportValues(): Plugin {
  const getter =
    /^Object\.defineProperty\(exports, "([\w$]+)", \{\s+enumerable: true,\s+get: function\(\) \{\s+return ([\w$.]+);\s+\}\s+\}\);$/gm;
  return {
    name: 'export-values',
    generateBundle({ format }, files) {
      if (format !== 'cjs') return;
      for (const file of Object.values(files)) {
        if (file.type === 'chunk') file.code = file.code.replaceAll(getter, 'exports.$1 = $2;');
      }
    },
  };
}

/** Removes what earlier builds left and this one did not write. */
function removeOrphans(): void {
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const path = join(dist, name);
    const stats = statSync(path);
    // File systems keep times in steps of up to 2 s.
    if (stats.isFile() && stats.mtimeMs < startedAt.getTime() - 2000) rmSync(path);
  }
}
