import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderTerminal, type TerminalOptions } from './terminal.ts';
import { report } from './testing/build.ts';
import { hostile } from './testing/hostile.ts';
import { allFine, compareAnswerLost, mixed, noReply, samples } from './testing/samples.ts';
import { displayWidth } from './width.ts';

const PLAIN: TerminalOptions = { columns: 80, color: false, unicode: true, verbose: 0 };
const goldens = new URL('../../fixtures/golden/', import.meta.url);

function expectGolden(name: string, text: string): void {
  const file = new URL(name, goldens);
  if (process.env.UPDATE !== undefined || !existsSync(file)) {
    mkdirSync(goldens, { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
}

describe('renderTerminal', () => {
  for (const [name, sample] of Object.entries(samples)) {
    for (const columns of [80, 120]) {
      it(`looks as reviewed: ${name} at ${columns} columns`, () => {
        expectGolden(`report-${name}-${columns}.txt`, renderTerminal(sample, { ...PLAIN, columns }));
      });
    }
  }

  it('looks as reviewed in full, in ASCII', () => {
    expectGolden('report-mixed-verbose-ascii-80.txt', renderTerminal(mixed, { ...PLAIN, unicode: false, verbose: 2 }));
  });

  it('overflows at no width, but for words of commands that cannot be parted', () => {
    for (const sample of Object.values(samples)) {
      for (let columns = 40; columns <= 130; columns += 3) {
        for (const verbose of [0, 2]) {
          const lines = renderTerminal(sample, { ...PLAIN, columns, verbose }).split('\n');
          const limit = Math.min(120, columns);
          const tooWide = lines.filter((line) => displayWidth(line) > limit && !/^ {4,6}\S/.test(line));
          expect(tooWide, `${columns} columns`).toEqual([]);
        }
      }
    }
  });

  it('fits foreign file names with wide characters into the ladder', () => {
    const captures = ['客户端抓包文件.pcapng', 'サーバー側.pcapng'];
    const [group] = compareAnswerLost.groups;
    const [example] = group?.examples ?? [];
    if (group === undefined || example?.vantages === undefined) throw new Error('the sample has no vantages');
    const vantages = example.vantages.map((vantage, index) => ({ ...vantage, capture: captures[index] ?? '' }));
    const renamed = { ...compareAnswerLost, groups: [{ ...group, examples: [{ ...example, vantages }] }] };
    for (const columns of [40, 60, 80, 100, 120]) {
      for (const line of renderTerminal(renamed, { ...PLAIN, columns }).split('\n')) {
        expect(displayWidth(line)).toBeLessThanOrEqual(columns);
      }
    }
    expect(renderTerminal(renamed, { ...PLAIN, columns: 120 })).toContain('客户端抓包文件');
  });

  it('lets nothing through that acts on a terminal, in any mode', () => {
    for (const verbose of [0, 1, 2]) {
      for (const unicode of [true, false]) {
        const text = renderTerminal(hostile, { ...PLAIN, unicode, verbose });
        expect(text).not.toMatch(/[^\n\P{Cc}]|[\p{Cf}\u2028\u2029]/u);
        const colored = renderTerminal(hostile, { ...PLAIN, color: true, unicode, verbose });
        expect(colored.replace(/\x1b\[[0-9;]+m/g, '')).toBe(text);
      }
    }
  });

  it('writes nothing but ASCII when the terminal has no Unicode', () => {
    for (const sample of [...Object.values(samples), hostile]) {
      expect(renderTerminal(sample, { ...PLAIN, unicode: false, verbose: 2 })).toMatch(/^[\n\x20-\x7e]*$/);
    }
  });

  it('colours only when asked to, and ends each colour on its line', () => {
    expect(renderTerminal(noReply, PLAIN)).not.toContain('\x1b');
    for (const line of renderTerminal(noReply, { ...PLAIN, color: true }).split('\n')) {
      const sequences = line.match(/\x1b\[[0-9;]*m/g) ?? [];
      expect(sequences.length === 0 || sequences.at(-1) === '\x1b[0m').toBe(true);
    }
  });

  it('leaves no space at the end of a line, no two empty lines in a row and one newline at the end', () => {
    for (const sample of Object.values(samples)) {
      const text = renderTerminal(sample, { ...PLAIN, verbose: 1 });
      expect(text).not.toMatch(/ \n|\n\n\n|^\n|\n\n$/);
      expect(text.endsWith('\n')).toBe(true);
    }
  });

  it('says one green sentence when nothing failed', () => {
    const text = renderTerminal(allFine, { ...PLAIN, color: true });
    expect(text.split('\n')[0]).toContain('\x1b[1;32mAll 412 handshakes were completed.\x1b[0m');
    expect(text.trimEnd().split('\n').length).toBeLessThan(6);
  });

  it('marks an empty capture as neither good nor bad', () => {
    const empty = report({ headline: 'No TCP handshake is in this capture.', groups: [] });
    expect(renderTerminal(empty, PLAIN)).toMatch(/^○ No TCP handshake/);
  });

  it('parts long commands so that they can still be pasted', () => {
    const [group] = noReply.groups;
    const [example] = group?.examples ?? [];
    if (group === undefined || example === undefined) throw new Error('the sample has no group');
    const command = [
      'tcpdump',
      '-i',
      'any',
      '-w',
      'a file.pcap',
      ...Array.from({ length: 12 }, (_, n) => `--option-${n}`),
    ];
    const nextSteps = [{ statement: 'Do this:', command }];
    const long = { ...noReply, groups: [{ ...group, examples: [{ ...example, nextSteps }] }] };
    const text = renderTerminal(long, PLAIN);
    const start = text.indexOf('    tcpdump');
    const pasted = text
      .slice(start, text.indexOf('\n\n', start))
      .replaceAll('\\\n', ' ')
      .trim()
      .split(/ +(?!file)/);
    expect(pasted).toEqual(command.map((word) => (word.includes(' ') ? `'${word}'` : word)));
  });

  it('shows at most 12 further groups and says how many more there are', () => {
    const [, group] = mixed.groups;
    if (group === undefined) throw new Error('the sample has one group only');
    const many = { ...mixed, groups: Array.from({ length: 20 }, () => group) };
    const text = renderTerminal(many, PLAIN);
    expect(text.match(/128×/g)).toHaveLength(12);
    expect(text).toContain('… 7 more groups, with -v');
  });

  it('lists every attempt at the highest verbosity and says what the limit left out', () => {
    const text = renderTerminal(mixed, { ...PLAIN, verbose: 2 });
    expect(text).toContain('14:03:07.000  [2001:db8:1::2]:50204 → [2001:db8:2::2]:443 no reply');
    expect(text).toContain('4,093 more attempts');
  });
});
