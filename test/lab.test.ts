import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { labMissing } from '../lab/testing.ts';
import { type CliRun, root, runCli } from './run-cli.ts';

const missing = labMissing();
if (missing !== undefined) console.log(`skipped: runs of synscope lab (${missing})`);

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/lab.schema.json'), 'utf8')) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);

describe('lab', () => {
  it('lists what can be broken, and healthy hosts', () => {
    const { stdout, status } = runCli(['lab']);
    expect(status).toBe(0);
    expect(stdout).toContain('no-return-route');
    expect(stdout).toContain('Healthy hosts, on which nothing may be found');
    const list = JSON.parse(runCli(['lab', '--json']).stdout) as object;
    expect(list).toMatchObject({ schemaVersion: 1, command: 'lab' });
    expect(validate(list), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    [['lab', 'no-such-cause'], 'the lab knows no "no-such-cause"'],
    [['lab', 'plain', '--family', '5'], '--family takes 4 or 6'],
    [['lab', 'plain', '--side', 'router'], '--side takes server or client'],
    [['lab', 'plain', '--jobs', '0'], '--jobs takes a whole number from 1 on'],
    [['lab', '--all', '--shard', '3/2'], '--shard takes a part such as 1/4'],
    [['lab', 'plain', '--variant', 'nonsense'], 'no scenario has this family and variant'],
    [['lab', '--all', 'plain'], '--all takes no names'],
  ])('%j is refused', (argv, message) => {
    const { status, stderr } = runCli(argv);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });
});

describe.skipIf(missing !== undefined)('lab as root', () => {
  const run = (...argv: string[]): CliRun => runCli(['lab', ...argv]);

  it('finds nothing wrong on a healthy host, and says so', () => {
    const { stdout, status } = run('plain', '--family', '6', '--seed', '1');
    expect(stdout).toContain('plain IPv6');
    expect(stdout).toContain('connected, then silent');
    expect(stdout.match(/as expected/g)?.length).toBe(2);
    expect(status).toBe(0);
  });

  it('finds a slow name although the connection comes up', () => {
    const { stdout, status } = run('dns-slow', '--family', '4', '--side', 'client', '--json', '--seed', '1');
    expect(JSON.parse(stdout)).toMatchObject({
      runs: [{ sides: [{ verdict: 'right', found: { id: 'dns-slow', status: 'confirmed' } }] }],
    });
    expect(status).toBe(0);
  });

  it('writes JSON as its schema says, the same names for the same seed', () => {
    const runs = ['1', '1'].map((seed) => run('plain', '--json', '--seed', seed, '--family', '4', '--side', 'server'));
    const [first, second] = runs.map(
      ({ stdout }) => JSON.parse(stdout) as { runs: { seed: number; decoys: string[] }[] },
    );
    expect(validate(first), JSON.stringify(validate.errors)).toBe(true);
    expect(first).toMatchObject({
      schemaVersion: 1,
      command: 'lab',
      seed: 1,
      runs: [
        { scenario: 'plain', kind: 'healthy', family: 4, sides: [{ side: 'server', verdict: 'right', found: null }] },
      ],
      totals: { runs: 1, skipped: 0, errors: 0, healthy: { right: 1, of: 1 }, wrongConfirmed: [] },
      matrix: { server: { plain: {} }, client: {} },
    });
    expect(second?.runs[0]?.seed).toBe(first?.runs[0]?.seed);
    expect(second?.runs[0]?.decoys).toEqual(first?.runs[0]?.decoys);
  });
});
