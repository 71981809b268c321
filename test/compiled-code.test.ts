import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BuiltCli } from './built-cli.ts';

/** The code that V8 made, which `bin/synscope.js` keeps from run to run. */
describe('compiled code', () => {
  let folder: string;
  let cache: string;
  let cli: BuiltCli;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-code-'));
    cache = join(folder, '.cache', 'compile');
    cli = new BuiltCli(folder);
  });

  beforeEach(() => {
    rmSync(cache, { recursive: true, force: true });
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const explain = (): string => cli.run(['explain', 'no-reply']).stdout;

  function only(): string {
    const names = readdirSync(cache);
    expect(names).toEqual([expect.stringMatching(/^v\d+\.\d+\.\d+-\w+\.code$/)]);
    return join(cache, names[0]!);
  }

  function kept(): { commands: string[]; chunks: Record<string, { sourceBytes: number; codeBytes: number }> } {
    const bytes = readFileSync(only());
    return JSON.parse(bytes.subarray(4, 4 + bytes.readUInt32LE()).toString());
  }

  it('is kept by the first run of each command, together with what others kept', () => {
    const text = explain();
    expect(text).toContain('no-reply');
    const first = kept();
    expect(first.commands).toEqual(['explain']);
    expect(first.chunks['./main.cjs']!.codeBytes).toBeGreaterThan(10_000);
    const { ino } = statSync(only());
    expect(explain()).toBe(text);
    expect(statSync(only()).ino).toBe(ino);

    cli.run(['connect', '127.0.0.1:1']);
    const second = kept();
    expect(second.commands).toEqual(['explain', 'connect']);
    expect(Object.keys(second.chunks)).toEqual(expect.arrayContaining(Object.keys(first.chunks)));
    expect(second.chunks['./main.cjs']!.codeBytes).toBeGreaterThan(first.chunks['./main.cjs']!.codeBytes);
    expect(explain()).toBe(text);
  });

  it('is never that of another source, of the same length either', () => {
    const main = join(folder, 'dist', 'cli', 'main.cjs');
    const source = readFileSync(main, 'utf8');
    expect(cli.run(['--help']).stdout).toContain('Finds out why a TCP connection does not come up.');
    try {
      writeFileSync(main, source.replace('Finds out why a TCP', 'Found out why a UDP'));
      expect(cli.run(['--help']).stdout).toContain('Found out why a UDP connection does not come up.');
    } finally {
      writeFileSync(main, source);
    }
  });

  it('is made anew where its file was cut or holds something else', () => {
    const text = explain();
    const { size } = statSync(only());
    for (const bytes of [0, 3, 40, size - 1000]) {
      truncateSync(only(), bytes);
      expect(explain()).toBe(text);
      expect(kept().commands).toContain('explain');
    }
    writeFileSync(only(), 'something else');
    expect(explain()).toBe(text);
    expect(kept().commands).toEqual(['explain']);
  });

  it('is not kept for a command line that is wrong, and need not be kept at all', () => {
    expect(cli.run(['nonsense']).status).toBe(2);
    expect(() => readdirSync(cache)).toThrow('ENOENT');
    explain();
    const file = only();
    rmSync(file);
    mkdirSync(file);
    expect(explain()).toContain('no-reply');
    expect(readdirSync(cache)).toHaveLength(1);
  });
});
