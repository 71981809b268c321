import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CliRun, root, run } from './run-cli.ts';

/** The package as a user gets it: packed, installed in a folder of its own, run by npx. */
let folder: string;
let project: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'synscope-package-')));
  project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  succeed(run('npm', ['pack', '--pack-destination', folder], root));
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  succeed(run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, tarball)], project));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('holds what a user needs and nothing of the workshop', () => {
  const installed = join(project, 'node_modules', 'synscope');
  for (const wanted of ['LICENSE', 'README.md', 'dist/index.d.ts', 'dist/web/index.html', 'samples/truth.json']) {
    expect(existsSync(join(installed, wanted)), wanted).toBe(true);
  }
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  expect(files.filter((file) => /\.test\.|(^|\/)testing\/|\.stamp$/.test(file))).toEqual([]);
});

it('synscope --version', () => {
  expect(npx('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

it('synscope read of a sample that came with it', () => {
  const sample = join('node_modules', 'synscope', 'samples', 'no-return-route', 'client.pcap');
  const { status, stdout } = npx('read', sample);
  expect(stdout).toContain('2001:db8:2::2');
  expect(status).toBe(1);
});

it('says in one sentence that Node.js is too old', () => {
  const { status, stderr } = run(
    process.execPath,
    [
      '--import',
      'data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "20.1.0" } })',
      join(project, 'node_modules', '.bin', 'synscope'),
      '--version',
    ],
    project,
  );
  expect(stderr).toMatch(/^synscope: needs Node\.js 22\.18 or newer, and this is 20\.1\.0 .*\n$/);
  expect(status).toBe(2);
});

function npx(...args: readonly string[]): CliRun {
  // The Node that runs the tests runs the package too, even where the system's is older.
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
  return run('npx', ['--no-install', 'synscope', ...args], project, { PATH: path });
}

function succeed({ status, stderr }: CliRun): void {
  if (status !== 0) throw new Error(stderr);
}
