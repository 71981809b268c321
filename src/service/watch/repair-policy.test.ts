import { describe, expect, it } from 'vitest';
import type { Change } from '../../model/cause.ts';
import type { JournalEntry } from '../../remedy/journal/entry.ts';
import { defaultConfig } from './config.ts';
import type { WatchConfig } from './config-types.ts';
import { heldBack, isAllowed, isWithin } from './repair-policy.ts';

type Remediation = WatchConfig['remediation'];

const remediation = (changes: Partial<Remediation> = {}): Remediation => ({
  ...defaultConfig().remediation,
  ...changes,
});
const NOW = new Date('2026-11-21T12:00:00');

/** A repair by policy, so many minutes ago. */
function repair(
  id: string,
  minutesAgo: number,
  outcome: 'verified' | 'rolled-back' | 'failed',
  by = 'policy',
): JournalEntry[] {
  const at = new Date(NOW.getTime() - minutesAgo * 60_000).toISOString();
  const begin = { v: 1, at, id, entry: 'begin', by, steps: [], host: 'local' } as unknown as JournalEntry;
  return [begin, { v: 1, at, id, entry: 'end', outcome, statement: '' }];
}

describe('what a policy may do', () => {
  const steps = (...kinds: Change['kind'][]): { change: { kind: Change['kind'] } }[] =>
    kinds.map((kind) => ({ change: { kind } }));

  it('safe remedies always, others by consent for every kind, some never', () => {
    expect(isAllowed('safe', steps('sysctl'), remediation())).toBe(true);
    expect(isAllowed('with-consent', steps('route'), remediation())).toBe(false);
    expect(isAllowed('with-consent', steps('route'), remediation({ allowKinds: ['route'] }))).toBe(true);
    expect(isAllowed('with-consent', steps('route', 'rule'), remediation({ allowKinds: ['route'] }))).toBe(false);
    expect(isAllowed('never', steps('nft-rule'), remediation({ allowKinds: ['nft-rule'] }))).toBe(false);
  });

  it('not more often than so many times an hour', () => {
    const three = [...repair('a', 50, 'verified'), ...repair('b', 40, 'verified'), ...repair('c', 1, 'verified')];
    expect(heldBack(remediation({ maxPerHour: 3 }), three, NOW)).toContain('3 repairs were made within the last hour');
    expect(heldBack(remediation({ maxPerHour: 4 }), three, NOW)).toBeUndefined();
    expect(
      heldBack(remediation({ maxPerHour: 3 }), [...repair('a', 61, 'verified'), ...three.slice(2)], NOW),
    ).toBeUndefined();
    expect(heldBack(remediation({ maxPerHour: 1 }), repair('p', 1, 'verified', 'person'), NOW)).toBeUndefined();
  });

  it('not after several that did not help, until a person resets it', () => {
    const bad = [...repair('a', 300, 'rolled-back'), ...repair('b', 200, 'failed')];
    expect(heldBack(remediation({ breakAfter: 2 }), bad, NOW)).toContain('the last 2 repairs by policy did not help');
    expect(heldBack(remediation({ breakAfter: 3 }), bad, NOW)).toBeUndefined();
    expect(heldBack(remediation({ breakAfter: 2 }), [...bad, ...repair('c', 100, 'verified')], NOW)).toBeUndefined();
    const reset: JournalEntry = {
      v: 1,
      at: new Date(NOW.getTime() - 60_000).toISOString(),
      id: 'reset',
      entry: 'reset',
    };
    expect(heldBack(remediation({ breakAfter: 2 }), [...bad, reset], NOW)).toBeUndefined();
  });

  it('only within its windows', () => {
    const night = { days: [5], fromMinute: 22 * 60, toMinute: 6 * 60 };
    expect(isWithin(night, new Date('2026-11-20T23:00:00'))).toBe(true);
    expect(isWithin(night, new Date('2026-11-21T05:59:00'))).toBe(true);
    expect(isWithin(night, new Date('2026-11-21T06:00:00'))).toBe(false);
    expect(isWithin(night, new Date('2026-11-20T05:00:00'))).toBe(false);
    expect(heldBack(remediation({ windows: [night] }), [], NOW)).toContain('outside of the windows');
    expect(heldBack(remediation({ windows: [{ days: [6], fromMinute: 0, toMinute: 1440 }] }), [], NOW)).toBeUndefined();
  });
});
