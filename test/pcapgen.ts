import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, '../../shared/tools/pcapgen/pcapgen.c');

/** Why the generator of captures with known truth cannot be used; undefined when it can. */
export function whyNoGenerator(): string | undefined {
  if (!existsSync(SOURCE)) return 'the generator of captures with known truth is not beside the repository';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'no C compiler';
  }
}

/** Compiles the generator to `program`. */
export function buildGenerator(program: string): void {
  execFileSync('cc', ['-O1', '-w', '-o', program, SOURCE]);
}
