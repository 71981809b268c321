import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BuiltCli } from './built-cli.ts';

let folder: string;
let cli: BuiltCli;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-record-cli-'));
  cli = new BuiltCli(mkdtempSync(join(folder, 'built-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string): string {
  return join(folder, name);
}

describe('synscope record', () => {
  it('writes what listen can judge', () => {
    const path = file('state.syn');
    const recorded = cli.run(['record', '-o', path, '--port', '9', '--for', '200ms', '--anonymize']);
    expect(recorded.stderr).toBe('');
    expect(recorded.stdout).toContain(`synscope listen 9 --on bundle:${path}\n`);
    // Without the right to capture packets the rest is recorded.
    expect(recorded.status).toBe(process.getuid?.() === 0 ? 0 : 3);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const judged = cli.run(['listen', '9', '--on', `bundle:${path}`, '--json']);
    expect(judged.stderr).toBe('');
    expect(JSON.parse(judged.stdout)).toMatchObject({ schemaVersion: 1, command: 'listen', host: `bundle:${path}` });
  });

  it('says as JSON what it wrote', () => {
    const path = file('json.syn');
    const { stdout, status } = cli.run(['record', '-o', path, '--port', '9', '--for', '0', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      command: 'record',
      file: path,
      fileBytes: statSync(path).size,
      on: 'local',
      ports: [9],
      watchedMs: 0,
      anonymized: false,
    });
  });

  it('does not replace a file unless it is asked to', () => {
    const path = file('precious');
    writeFileSync(path, 'precious');
    const { status, stderr, stdout } = cli.run(['record', '-o', path, '--port', '9', '--for', '0']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toBe(`synscope: ${path} is there already. Give another name, or --force to replace it.\n`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(cli.run(['record', '-o', path, '--port', '9', '--for', '0', '--force']).status).toBe(0);
    expect(readFileSync(path, 'latin1')).not.toBe('precious');
  });

  it.each<[says: string, args: string[]]>([
    ['record writes a file: name it with -o FILE', []],
    ['record writes a file: name it with -o FILE', ['-o', '-']],
    ['cannot be written: no such file or directory.', ['-o', '/no/such/folder/x']],
    ['cannot be written: it is no ordinary file.', ['-o', '/tmp', '--force']],
    ['--port takes a number from 1 to 65535, and "70000" is none', ['-o', 'x', '--port', '70000']],
    ['--from takes an IP address, and "web7" is none', ['-o', 'x', '--from', 'web7']],
    ['record takes options only; for a port: --port 443', ['443', '-o', 'x']],
    ['a recording cannot be recorded again; copy the file', ['-o', 'x', '--on', 'bundle:y']],
    [
      'There is no network namespace no-such-namespace. See: ip netns list',
      ['-o', 'FOLDER/x', '--on', 'netns:no-such-namespace'],
    ],
    [
      '--on takes local, netns:NAME, pid:NUMBER, docker:NAME, pod:NAMESPACE/NAME, ssh:',
      ['-o', 'FOLDER/x', '--on', 'nowhere'],
    ],
  ])('%s', (says, args) => {
    const { status, stderr, stdout } = cli.run(['record', ...args.map((word) => word.replace('FOLDER', folder))]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(says);
  });
});

it('a bundle that is none is named in one sentence', () => {
  const path = file('text.syn');
  writeFileSync(path, 'hello');
  const { status, stderr } = cli.run(['listen', '443', '--on', `bundle:${path}`]);
  expect(status).toBe(2);
  expect(stderr).toBe(`synscope: ${path} is no recording of synscope. Make one with: synscope record -o FILE\n`);
});
