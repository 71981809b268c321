import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What pcapgen is asked for, by file name. Every flow is a function of its number, so the files are always the same. */
const RECIPES: Readonly<Record<string, readonly string[]>> = {
  's96-1m.pcap': ['-n', '1000000', '-s', '96'],
  's96-10m.pcap': ['-n', '10000000', '-s', '96'],
  'full-1g.pcap': ['-b', '1000000000'],
  'flows-1m.pcap': ['-F', '1000000', '-f', '960', '-r', '5000', '-s', '96'],
  'c.pcap': ['-F', '30000', '-s', '128', '-v', 'c'],
  's.pcap': ['-F', '30000', '-s', '128', '-v', 's', '-o', '2500000', '-N'],
};

const generatorSource = fileURLToPath(new URL('../../shared/tools/pcapgen/pcapgen.c', import.meta.url));

/**
 * Makes the captures that `folder` lacks.
 * @throws Error that says what is missing when one is needed and cannot be generated.
 */
export function provideInputs(folder: string, names: readonly string[]): void {
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return;
  if (!existsSync(generatorSource)) {
    throw new Error(
      `${folder} lacks ${missing.join(', ')}, and there is no generator at ${generatorSource}; ` +
        'give a folder that has them with --input-dir',
    );
  }
  mkdirSync(folder, { recursive: true });
  const generator = join(folder, 'pcapgen');
  if (!existsSync(generator)) execute('cc', ['-O2', '-o', generator, generatorSource]);
  for (const name of missing) {
    const recipe = RECIPES[name];
    if (recipe === undefined) throw new Error(`no recipe for ${name}`);
    console.error(`generating ${join(folder, name)}`);
    execute(generator, [...recipe, join(folder, name)]);
  }
}

function execute(program: string, args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? `exit ${status}`}`);
}
