import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliRun, root, run } from './run-cli.ts';

/** A clone of this checkout, as far as it is committed, with nothing installed in it. */
let folder: string;
let clone: string;

const reason =
  process.env.FULL || process.env.CI ? undefined : 'it installs all packages anew; run scripts/test.sh --full';
if (reason !== undefined) console.log(`test/fresh-checkout.test.ts: skipped, ${reason}`);

describe.skipIf(reason !== undefined)(
  'a fresh checkout',
  () => {
    beforeAll(() => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), 'synscope-checkout-')));
      clone = join(folder, 'synscope');
      const { status, stderr } = run('git', ['clone', '--quiet', root, clone], folder);
      if (status !== 0) throw new Error(stderr);
    });

    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    it('says in one sentence that npm is missing', () => {
      const programs = join(folder, 'programs');
      mkdirSync(programs);
      for (const program of ['sh', 'readlink', 'find', 'dirname', 'mkdir', 'ln', 'rm', 'sleep']) {
        const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
        symlinkSync(stdout.trim(), join(programs, program));
      }
      const { status, stderr } = run(join(clone, 'synscope'), ['--version'], folder, { PATH: programs });
      expect(stderr).toMatch(/^synscope: npm was not found, .*\n$/);
      expect(status).toBe(2);
    });

    it('says in one sentence that the registry cannot be reached', () => {
      const { status, stderr } = run(join(clone, 'synscope'), ['--version'], folder, {
        npm_config_registry: 'http://127.0.0.1:9/',
        npm_config_cache: join(folder, 'cache'),
        npm_config_fetch_retries: '0',
      });
      expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/cannot reach its registry \(ECONNREFUSED\)/);
      expect(status).toBe(2);
    });

    it('sets itself up once when it is started twice at the same time', async () => {
      const runs = await Promise.all([start(), start()]);
      for (const { status, stdout } of runs) {
        expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
        expect(status).toBe(0);
      }
      expect(runs.filter(({ stderr }) => stderr.includes('installing packages'))).toHaveLength(1);
      expect(readdirSync(join(clone, '.cache')).filter((name) => name.includes('lock'))).toEqual([]);
    });

    it('is quiet afterwards, from any folder, through a symbolic link', () => {
      symlinkSync('synscope/synscope', join(folder, 'link'));
      expect(run(join(folder, 'link'), ['--version'], tmpdir())).toMatchObject({ status: 0, stderr: '' });
    });

    it('passes standard input through, even when it builds first', () => {
      rmSync(join(clone, 'dist'), { recursive: true });
      const { status, stdout } = run('sh', ['-c', './synscope read - < samples/no-return-route/client.pcap'], clone);
      expect(stdout).toContain('2001:db8:2::2');
      expect(status).toBe(1);
      expect(existsSync(join(clone, 'dist', '.stamp'))).toBe(true);
    });

    it('takes over the lock of a setup that died', () => {
      rmSync(join(clone, 'dist'), { recursive: true });
      symlinkSync('999999999', join(clone, '.cache', 'setup.lock'));
      expect(run(join(clone, 'synscope'), ['--version'], clone).status).toBe(0);
    });
  },
  600_000,
);

function start(): Promise<CliRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(clone, 'synscope'), ['--version'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
