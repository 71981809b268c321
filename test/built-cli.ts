import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { type CliRun, root } from './run-cli.ts';

/** How a built command line is run. */
interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: Uint8Array;
  readonly cwd?: string;
}

/** The command line as `scripts/build.ts` builds it, in a folder of its own: other tests may build at the same time. */
export class BuiltCli {
  /** What Node is given to start it. */
  readonly program: string;

  /** @param folder an empty folder, which is filled. */
  constructor(folder: string) {
    const build = [join(root, 'scripts', 'build.ts'), join(folder, 'dist')];
    const { status, stdout, stderr } = spawnSync(process.execPath, build, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
    for (const part of ['bin', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    this.program = join(folder, 'bin', 'synscope.js');
  }

  /** The words that start it, for a shell. */
  get command(): string {
    return `'${process.execPath}' '${this.program}'`;
  }

  /** Runs it to its end. */
  run(args: readonly string[], { env = {}, input, cwd = root }: RunOptions = {}): CliRun {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [this.program, ...args], {
      cwd,
      env: plainEnv(env),
      input: input ?? '',
      maxBuffer: 1 << 26,
      timeout: 60_000,
    });
    if (error !== undefined) throw error;
    return { status, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** Starts it with pipes to all of its standard streams. */
  start(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn(process.execPath, [this.program, ...args], { cwd: root, env: plainEnv({}) });
  }
}

/** The environment without what this very test run was told of colours and locale. */
function plainEnv(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NO_COLOR, FORCE_COLOR, COLUMNS, LC_ALL, LC_CTYPE, LANG, TERM, ...rest } = process.env;
  return { ...rest, ...own };
}
