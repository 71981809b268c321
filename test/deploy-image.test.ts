import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CAPABILITIES } from '../src/service/install/unit.ts';
import { root, run } from './run-cli.ts';

const FOLDER = join(root, 'deploy/docker');
const lines = readFileSync(join(FOLDER, 'Dockerfile'), 'utf8')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '' && !line.startsWith('#'));
const of = (word: string): string[] =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1).trim());
const kept = readFileSync(join(FOLDER, 'Dockerfile.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1));
const full = process.env.FULL === '1' ? undefined : 'it builds the package; run scripts/test.sh --full';
if (full !== undefined) console.log(`skipped: the build of the image: ${full}`);

describe('the image', () => {
  it('is built with a Node that the package runs on, and begins with the program', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
    const least = Number(/^>=(\d+)/.exec(manifest.engines.node)?.[1]);
    const images = of('FROM').map((line) => /^node:(\d+)-bookworm-slim(?: AS (\w+))?$/.exec(line));
    expect(images.map((image) => Number(image?.[1]) > least)).toEqual([true, true]);
    expect(images[0]?.[2]).toBe('build');
    expect(of('ENTRYPOINT')).toEqual(['["synscope"]']);
    expect(of('CMD')).toEqual(['["watch"]']);
    expect(of('USER')).toEqual([]);
  });

  it('is made of files that there are', () => {
    for (const line of of('COPY').filter((words) => !words.startsWith('--from='))) {
      const sources = line.split(/\s+/).slice(0, -1);
      for (const source of sources) expect(existsSync(join(root, source)), source).toBe(true);
    }
    for (const name of kept.filter((line) => !line.includes('*')))
      expect(existsSync(join(root, name)), name).toBe(true);
  });

  it('asks the watch whether it is well', () => {
    const [check = ''] = of('HEALTHCHECK');
    const [, , script = ''] = JSON.parse(check.slice(check.indexOf('['))) as string[];
    const answered = (status: number): number | null => {
      const server = `require('node:http').createServer((_, answer) => { answer.writeHead(${status}).end(); }).listen(0, '127.0.0.1', function () {
        const words = ['-e', ${JSON.stringify(script)}.replace('7321', this.address().port)];
        require('node:child_process').spawn(process.execPath, words, { stdio: 'inherit' }).once('exit', (code) => process.exit(code));
      })`;
      return run(process.execPath, ['-e', server], root).status;
    };
    expect(answered(200)).toBe(0);
    expect(answered(503)).toBe(1);
    expect(run(process.execPath, ['-e', script.replace('7321', '1')], root).status).toBe(1);
  });

  it.skipIf(full !== undefined)('is built of what its context holds', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-image-'));
    try {
      for (const name of kept) {
        if (name === 'tsconfig*.json')
          for (const file of ['tsconfig.json', 'tsconfig.build.json']) cpSync(join(root, file), join(folder, file));
        else
          cpSync(join(root, name), join(folder, name), {
            recursive: true,
            filter: (path) => !path.endsWith('.test.ts'),
          });
      }
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      const { status, stdout, stderr } = run('npm', ['pack', '--json', '--foreground-scripts=false'], folder);
      expect(stderr).not.toMatch(/error/i);
      expect(status).toBe(0);
      const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as {
        filename: string;
        files: { path: string }[];
      }[];
      const paths = packed?.files.map(({ path }) => path) ?? [];
      for (const path of ['bin/synscope.js', 'dist/cli/main.cjs', 'docs/hosts.md']) expect(paths).toContain(path);
      expect(packed?.filename).toMatch(/^synscope-.*\.tgz$/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the compose file', () => {
  it('gives the rights that the service has, and no others', () => {
    const { services } = parse(readFileSync(join(FOLDER, 'compose.yaml'), 'utf8')) as {
      services: { synscope: { cap_add: string[]; cap_drop: string[]; build: { context: string; dockerfile: string } } };
    };
    const { cap_add, cap_drop, build } = services.synscope;
    expect(cap_add).toEqual(CAPABILITIES.map(({ name }) => name.replace('CAP_', '')));
    expect(cap_drop).toEqual(['ALL']);
    expect(existsSync(join(FOLDER, build.context, build.dockerfile))).toBe(true);
  });

  it.skipIf(run('sh', ['-c', 'docker compose version'], root).status !== 0)('is what docker understands', () => {
    const { status, stderr } = run(
      'docker',
      ['compose', '-f', join(FOLDER, 'compose.yaml'), 'config', '--quiet'],
      root,
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
