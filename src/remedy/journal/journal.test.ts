import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { thisOwner } from '../owner.ts';
import type { JournalEvent } from './entry.ts';
import { Journal } from './journal.ts';
import { recordOf, storiesOf } from './records.ts';

const BEGIN: JournalEvent = {
  entry: 'begin',
  host: 'local',
  namespace: 'net:[1]',
  targetBootId: 'boot',
  by: 'person',
  owner: thisOwner(),
  causeId: 'no-return-route',
  remedyId: 'add-default-route',
  title: 'Give it its route',
  target: { side: 'server', port: 443 },
  steps: [
    {
      change: { kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '1' },
      text: 'set it',
      do: ['sysctl', '-w', 'a=1'],
      undo: [['sysctl', '-w', 'a=0']],
      before: '0',
      dangers: [],
    },
  ],
};

let directory: string;
let journal: Journal;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'synscope-journal-')), 'state');
  vi.stubEnv('SYNSCOPE_STATE_DIR', directory);
  journal = new Journal();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dirname(directory), { recursive: true, force: true });
});

describe('the journal of repairs', () => {
  it('is empty where there is none, and nobody else can read it', () => {
    expect(journal.read()).toEqual([]);
    journal.append('a', BEGIN);
    expect(statSync(journal.path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(journal.read()).toMatchObject([{ v: 1, id: 'a', entry: 'begin', host: 'local' }]);
  });

  it('survives a last line that was cut off, and goes on behind it', () => {
    journal.append('a', BEGIN);
    appendFileSync(journal.path, '{"v":1,"at":"2026-11-21T08:00:00Z","id":"a","entry":"st');
    expect(journal.read()).toHaveLength(1);
    journal.append('a', { entry: 'step', step: 0 });
    expect(journal.read().map(({ entry }) => entry)).toEqual(['begin', 'step']);
  });

  it('is not led astray by what it does not know', () => {
    journal.append('a', BEGIN);
    appendFileSync(
      journal.path,
      'null\n[]\n{"v":2,"id":"a","entry":"end"}\n\u0000\n{"v":1,"at":"x","id":"z","entry":"step","step":3}\n',
    );
    const stories = storiesOf(journal.read());
    expect(stories.map(({ id, end }) => [id, end])).toEqual([['a', undefined]]);
  });

  it('tells how repairs ended, and which can be undone', () => {
    journal.append('a', BEGIN);
    journal.append('a', { entry: 'step', step: 0 });
    journal.append('a', { entry: 'step-done', step: 0, after: '1' });
    const record = (id: string, isRunning = false): ReturnType<typeof recordOf> =>
      recordOf(storiesOf(journal.read()).find((story) => story.id === id)!, isRunning);
    expect(record('a')).toMatchObject({ outcome: 'interrupted', undoable: false });
    expect(record('a', true)).toMatchObject({ outcome: 'running' });
    journal.append('a', { entry: 'end', outcome: 'verified', statement: 'it works' });
    expect(record('a')).toMatchObject({ outcome: 'verified', statement: 'it works', undoable: true });
    journal.append('b', { ...BEGIN, undoes: 'a' });
    journal.append('b', { entry: 'end', outcome: 'rolled-back', statement: 'no' });
    expect(record('a').outcome).toBe('verified');
    journal.append('c', { ...BEGIN, undoes: 'a' });
    journal.append('c', { entry: 'end', outcome: 'verified', statement: 'as before' });
    expect(record('a')).toMatchObject({ outcome: 'undone', undoable: false });
    expect(record('c')).toMatchObject({ outcome: 'verified', undoable: false });
  });
});
