import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeText, differenceText } from '../model/proof-words.ts';
import { differencesOf, undoAll } from './differences.ts';
import { parseSaved } from './interventions/saved-rules.ts';
import { dotted } from './interventions/sysctls.ts';
import { findAlone, minimise, minimiseSlowly } from './search-minimal.ts';
import type { HostState } from './state.ts';
import { textHunks, withoutMarks } from './text-hunks.ts';

describe('the smallest set that does it', () => {
  it('is found, whatever it is, and nothing can be left out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat(39), { minLength: 1, maxLength: 4 }),
        async (size, wanted) => {
          const set = Array.from({ length: size }, (_, index) => index);
          const needed = new Set(wanted.map((one) => one % size));
          const does = (part: readonly number[]): boolean => [...needed].every((one) => part.includes(one));
          expect([...minimise(set, does)].sort()).toEqual([...needed].sort());
          expect([...(await minimiseSlowly(set, async (part) => does(part)))].sort()).toEqual([...needed].sort());
        },
      ),
    );
  });

  it('is found alone in large groups with few questions', () => {
    const set = Array.from({ length: 10_000 }, (_, index) => index);
    let asked = 0;
    const does = (part: readonly number[]): boolean => {
      asked += 1;
      return part.includes(7777) || part.includes(3);
    };
    const { found, inGroups } = findAlone(set, does, 16);
    expect(found).toEqual([3, 7777]);
    expect(inGroups).toBeGreaterThan(9900);
    expect(asked).toBeLessThan(80);
    expect(findAlone(set.slice(0, 3), does, 16)).toEqual({ found: [], inGroups: 0 });
  });
});

describe('places in which texts differ', () => {
  it('can be undone one by one, in any order', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 14 });
    fc.assert(
      fc.property(lines, lines, fc.infiniteStream(fc.boolean()), (one, other, choices) => {
        const [good, bad] = [one.join('\n'), other.join('\n')];
        const hunks = textHunks(good, bad, (line) => line);
        const undone = [...hunks].sort(() => (choices.next().value === true ? 1 : -1));
        const text = undone.reduce((text, hunk) => hunk.undoIn(text), bad);
        expect(withoutMarks(text)).toBe(good);
        for (const hunk of hunks) expect(hunk.good).not.toEqual(hunk.bad);
      }),
    );
    expect(textHunks('a\nb', 'a\nb', (line) => line)).toEqual([]);
  });
});

const EMPTY: HostState = {
  version: 1,
  on: 'local',
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  neighbours: [],
  nexthops: [],
  iptables: [],
  sysctls: {},
  sockets: [],
  xfrmPolicies: [],
  qdiscs: [],
  filterHooks: [],
  bpfPrograms: [],
  conntrack: {},
  notRead: [],
};

describe('differences of two states', () => {
  const rule = (line: string): HostState['rules'][number] => ({ family: 4, priority: 50, line });
  const good: HostState = {
    ...EMPTY,
    rules: [rule('from all to 192.0.2.1 lookup 100')],
    sysctls: { 'ipv4/tcp_syncookies': '1', 'netfilter/nf_conntrack_count': '5' },
    nft: {
      form: 'text',
      text: 'table ip t {\n\tchain c { # handle 1\n\t\ttcp dport 1 counter packets 5 bytes 7 # handle 9\n\t}\n}',
    },
    iptables: [{ tool: 'iptables-legacy', family: 4, text: '*filter\n[1:2] -A INPUT -j ACCEPT\nCOMMIT' }],
  };
  const bad: HostState = {
    ...EMPTY,
    rules: [rule('from all to 192.0.2.1 prohibit')],
    sysctls: { 'ipv4/tcp_syncookies': '0', 'netfilter/nf_conntrack_count': '9' },
    nft: {
      form: 'text',
      text: 'table ip t {\n\tchain c { # handle 3\n\t\ttcp dport 1 counter packets 6 bytes 8 # handle 4\n\t\ttcp dport 2 drop # handle 5\n\t}\n}',
    },
    iptables: [
      { tool: 'iptables-legacy', family: 4, text: '*filter\n[7:8] -A INPUT -j ACCEPT\n[0:0] -A INPUT -j DROP\nCOMMIT' },
    ],
  };

  it('are told without counters, handles and what changes by itself', () => {
    const found = differencesOf(good, bad);
    expect(found.map(({ element: { kind, change } }) => `${kind} ${change}`)).toEqual([
      'rule added',
      'rule removed',
      'sysctl 1 → 0',
      'nft-rule added',
      'iptables-rule added',
    ]);
    expect(found[3]?.element.element).toBe('tcp dport 2 drop');
    expect(differencesOf(good, good)).toEqual([]);
    expect(differenceText(found[2]!.element)).toBe('the setting net.ipv4.tcp_syncookies went from 1 to 0');
  });

  it('can be undone one by one', () => {
    const found = differencesOf(good, bad);
    expect(undoAll(bad, []).nft?.text).toBe(bad.nft?.text);
    const all = undoAll(bad, found);
    expect(all.rules).toEqual(good.rules);
    expect(all.sysctls['ipv4/tcp_syncookies']).toBe('1');
    expect(all.nft?.text).not.toContain('tcp dport 2');
    expect(all.iptables[0]?.text).not.toContain('DROP');
    expect(undoAll(bad, [found[4]!]).nft?.text).toBe(bad.nft?.text);
  });
});

describe('names', () => {
  it('of rules are those of iptables', () => {
    const text =
      '*raw\n:PREROUTING ACCEPT [0:0]\n*filter\n:INPUT DROP [1:2]\n:mine - [0:0]\n[5:6] -A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -j mine\n-A mine -j DROP\nCOMMIT';
    expect(
      parseSaved(text).map(({ table, chain, number, text: said }) => `${table} ${chain} ${number} ${said}`),
    ).toEqual([
      'raw PREROUTING 0 ACCEPT',
      'filter INPUT 0 DROP',
      'filter INPUT 1 -A INPUT -i lo -j ACCEPT',
      'filter INPUT 2 -A INPUT -p tcp -j mine',
      'filter mine 1 -A mine -j DROP',
    ]);
  });

  it('of settings are those of sysctl', () => {
    expect(dotted('ipv4/conf/eth0.5/rp_filter')).toBe('net.ipv4.conf.eth0/5.rp_filter');
  });

  it('of changes are clauses', () => {
    expect(changeText({ kind: 'listener', element: '127.0.0.1:80', change: 'any address' })).toBe(
      'the listener 127.0.0.1:80 is bound to any address',
    );
    expect(changeText({ kind: 'nft-rule', element: 'inet f c handle 2', change: 'removed', text: 'drop' })).toBe(
      'the nftables rule inet f c handle 2 (drop) is removed',
    );
  });
});

const missing =
  process.getuid?.() !== 0 ? 'needs root' : spawnSync('nft', ['--version']).status === 0 ? undefined : 'needs nft';
if (missing !== undefined) console.log(`skipped: switching rules of nftables (${missing})`);

describe.skipIf(missing !== undefined)('rules of nftables', () => {
  it('can be switched off and on again, each and all', () => {
    const { stdout, stderr, status } = spawnSync(
      'unshare',
      ['--net', process.execPath, '--no-warnings', new URL('./testing/switch-rules.ts', import.meta.url).pathname],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([0, '']);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(told).toMatchObject({
      refused: [],
      unswitchable: 2,
      rules: 9,
      isSame: true,
      opened: true,
      elementGone: true,
    });
  });
});
