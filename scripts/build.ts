/** Builds src into dist: `npm run build`. What it leaves there is exactly what the package contains. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const startedAt = new Date();

const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
if (status === 0) {
  removeOrphans();
  // The stamp bears the time of the start: a source that was saved during the build makes the next one build again.
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, 'dist/.stamp'), '');
  utimesSync(join(root, 'dist/.stamp'), startedAt, startedAt);
} else {
  process.exitCode = status ?? 1;
}

/** Removes what earlier builds made from sources that are gone. */
function removeOrphans(): void {
  for (const file of readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })) {
    const source = file.replace(/(\.d\.ts|\.js)$/, '.ts');
    if (source !== file && !existsSync(join(root, 'src', source))) rmSync(join(root, 'dist', file));
  }
}
