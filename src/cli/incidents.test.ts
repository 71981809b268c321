import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Incident } from '../model/incident.ts';
import { diagnosisValue } from '../report/json-values.ts';
import { noReply } from '../report/testing/samples.ts';
import type { HistoryStore } from '../service/history/history-store.ts';
import { openHistory } from '../service/history/open-history.ts';
import { closed, HTTPS, sampleIncident } from '../service/history/testing/incidents.ts';
import { controlSocketIn } from '../service/http/control-socket.ts';
import { type HttpService, startHttp } from '../service/http/server.ts';
import { FakeWatch } from '../service/http/testing/fake-watch.ts';
import { Metrics } from '../service/metrics/metrics.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const schema = JSON.parse(
  readFileSync(new URL('../../docs/schema/incidents.schema.json', import.meta.url), 'utf8'),
) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);

let folder: string;

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line without blocking this process, which may be the watch that is asked. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    const environment = { ...process.env, NO_COLOR: '1', LANG: 'C.UTF-8', SYNSCOPE_STATE_DIR: folder, ...env };
    execFile(process.execPath, [MAIN, ...args], { env: environment, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const INCIDENTS: readonly Incident[] = [
  closed(sampleIncident(1, { samples: noReply.diagnoses.map(diagnosisValue), attempts: 1_234_567, clients: 900 })),
  sampleIncident(2, {
    service: {
      direction: 'outbound',
      namespace: 'netns:web\x1b[2J',
      address: '2001:db8::1',
      port: 8443,
      process: 'a-very-long-name',
    },
    samples: noReply.diagnoses.map(diagnosisValue),
  }),
  sampleIncident(3, { kind: 'noise', cause: null, samples: [], sentence: 'SYN flood on port 443', service: HTTPS }),
  sampleIncident(4, {
    kind: 'warning',
    attempts: 0,
    clients: 0,
    clientNetworks: [],
    samples: [],
    repairs: [],
    changes: [],
  }),
];

/** The same questions to a watch that runs, and to what it left. */
function describeAnswers(): void {
  it.each([80, 120])('lists one incident a row in %i columns', async (columns) => {
    const { code, stdout, stderr } = await run(['incidents'], { COLUMNS: String(columns) });
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    expect(lines.slice(1, 5).map((line) => line.slice(0, 3))).toEqual(['● 4', '● 3', '● 2', '○ 1']);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    expect(lines[6]).toContain('4 incidents; 3 open. All of one: synscope show 4');
  });

  it('selects', async () => {
    const shown = async (...args: string[]) =>
      (JSON.parse((await run(['incidents', '--json', ...args])).stdout).incidents as { id: number }[]).map(
        ({ id }) => id,
      );
    expect(await shown('--state', 'closed')).toEqual([1]);
    expect(await shown('--kind', 'noise')).toEqual([3]);
    expect(await shown('--port', '8443')).toEqual([2]);
    expect(await shown('--cause', 'no-return-route', '--limit', '1')).toEqual([4]);
    expect(await shown('--since', '2026-11-20T14:03:00Z')).toEqual([4, 3]);
    expect(await shown('--until', '2026-11-20T14:02:00Z')).toEqual([1]);
  });

  it('keeps to the schema', async () => {
    const list = JSON.parse((await run(['incidents', '--json', '--limit', '3'])).stdout);
    expect(list).toMatchObject({ schemaVersion: 1, command: 'incidents', more: true });
    expect(validate(list) || validate.errors).toBe(true);
    const none = await run(['incidents', '--json', '--port', '1']);
    expect(none.code).toBe(0);
    expect(validate(JSON.parse(none.stdout))).toBe(true);
    const one = await run(['show', '1', '--json']);
    expect(validate(JSON.parse(one.stdout)) || validate.errors).toBe(true);
    expect(validate({ ...list, extra: 1 })).toBe(false);
  });

  it('says when there is none such', async () => {
    const { code, stdout } = await run(['incidents', '--port', '1', '--state', 'open']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'No such incident (open, on port 1).\n' });
    const gone = await run(['show', '77']);
    expect(gone).toMatchObject({
      code: 2,
      stderr: 'synscope: There is no incident 77. They are listed by: synscope incidents\n',
    });
  });

  it('shows all of one', async () => {
    const { code, stdout } = await run(['show', '2'], { COLUMNS: '80' });
    expect(code).toBe(1);
    const order = [
      '✗ web7 has no route',
      'Incident 2: a-very-long-name, to [2001:db8::1]:8443',
      '4 attempts from 2 clients',
      '├── SYN ─',
      'Because',
      'Next',
      'What changed',
      '14 s before default via fe80::1 dev eth0 deleted',
      'Repairs',
      'Add the default route: suggested (by the policy)',
    ];
    const flat = stdout.replace(/\s+/g, ' ');
    const found = order.map((text) => flat.indexOf(text));
    expect(order.filter((_, index) => found[index] === -1)).toEqual([]);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    const old = await run(['show', '#1']);
    expect(old.code).toBe(0);
    expect(old.stdout.replace(/\s+/g, ' ')).toContain('closed 2026-11-20 14:01:30 (no such failure for 2 min)');
    expect((await run(['show', '4'])).stdout).toContain('Warning 4: nginx, port 443.');
  });

  it('writes a page', async () => {
    const path = join(folder, 'page.html');
    await run(['show', '2', '--html', path]);
    const page = readFileSync(path, 'utf8');
    expect(page).toContain('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'');
    expect(page).toContain('&quot;quotes&quot;');
    expect(page).toContain('<svg');
    expect(page).not.toContain('\x1b');
    rmSync(path);
  });

  it('exports', async () => {
    const path = join(folder, 'out.csv');
    expect((await run(['incidents', '--export', 'csv', path, '--kind', 'failure'])).code).toBe(1);
    expect(readFileSync(path, 'utf8').split('\r\n')).toHaveLength(4);
    rmSync(path);
    const { stdout } = await run(['incidents', '--export', 'jsonl']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).samples.length),
    ).toEqual([0, 0, 1, 1]);
    const parquet = join(folder, 'out.parquet');
    await run(['incidents', '--export', 'parquet', parquet]);
    expect(readFileSync(parquet).subarray(0, 4).toString()).toBe('PAR1');
    rmSync(parquet);
    const nowhere = await run(['incidents', '--export', 'csv', join(folder, 'none', 'x.csv')]);
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toMatch(/none\/x\.csv.* cannot be written: /);
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-incidents-'));
  const store = await openHistory(folder);
  for (const incident of INCIDENTS) await store.saveIncident(incident);
  await store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('incidents and show, of what a watch left', () => {
  describeAnswers();

  it('find it with --from', async () => {
    const { stdout } = await run(['incidents', '--from', folder], { SYNSCOPE_STATE_DIR: '/nonexistent' });
    expect(stdout).toContain('4 incidents');
  });
});

describe('incidents and show, of a watch that runs', () => {
  let store: HistoryStore;
  let service: HttpService;
  beforeAll(async () => {
    const view = new FakeWatch();
    store = await openHistory(folder);
    const metrics = new Metrics({ view, store, services: 1 });
    const controlSocket = controlSocketIn(folder);
    service = await startHttp({ view, store, metrics, stateFolder: folder, controlSocket, dist: '' });
  });
  afterAll(async () => {
    await service.close();
    await store.close();
  });
  describeAnswers();

  it('must be allowed to ask', async () => {
    if (process.getuid?.() !== 0) return;
    chmodSync(folder, 0o755);
    const { code, stderr } = await new Promise<Run>((resolve) => {
      const args = [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        MAIN,
        'incidents',
        '--from',
        folder,
      ];
      execFile('setpriv', args, { encoding: 'utf8' }, (error, stdout, stderr_) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr: stderr_ }),
      );
    });
    chmodSync(folder, 0o700);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `synscope: a synscope watch runs, and ${folder}/control.sock may be used by its user and group only; use sudo, or join the group synscope\n`,
    });
  });
});

describe('what cannot be answered', () => {
  it.each([
    [['show', 'x'], 2, 'show takes the number of one incident, and "x" is none'],
    [['show', '1', '2'], 2, 'show takes the number of one incident'],
    [['incidents', 'out.csv'], 2, '"out.csv" would be the file of an export: say --export'],
    [['incidents', '--since', 'soon'], 2, '--since takes a time before now such as 2h or 7d'],
    [['incidents', '--state', 'odd'], 2, '--state is one of open, closed'],
    [['incidents', '--port', '0'], 2, '--port takes a whole number from 1 to 65535'],
    [['incidents', '--export', 'xml'], 2, '--export is one of jsonl, csv, parquet'],
  ])('%j', async (args, code, message) => {
    const found = await run(args);
    expect(found.code).toBe(code);
    expect(found.stderr).toContain(message);
  });

  it('is a folder in which no watch ran', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'synscope-empty-'));
    onTestFinished(() => rmSync(empty, { recursive: true, force: true }));
    const { code, stderr } = await run(['incidents', '--from', empty]);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `synscope: no synscope watch runs here, and none left a history in ${empty}; start one: sudo synscope watch; or name its folder with --from\n`,
    });
    writeFileSync(join(empty, 'history.duckdb'), 'no database');
    const damaged = await run(['show', '1', '--from', empty]);
    expect(damaged).toMatchObject({ code: 3, stderr: `synscope: the history ${empty}/history.duckdb is damaged\n` });
    expect(existsSync(join(empty, 'history.duckdb'))).toBe(true);
  });
});
