import type { Word } from './words.ts';

/** One option with its arguments: `! --dport 22`. */
export interface Option {
  /** With its dashes: `-p`, `--dport`. */
  readonly name: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

/** The options of one match module, or of the rule itself. */
export interface Matcher {
  /** Name after `-m`; empty for the options of the rule itself: `-p`, `-s`, `-d`, `-i`, `-o`, `-f`. */
  readonly module: string;
  readonly options: readonly Option[];
}

/** What a rule says. */
export interface Specification {
  readonly matchers: readonly Matcher[];
  /** Absent: the rule only counts. */
  readonly target?: { readonly name: string; readonly goto: boolean; readonly options: readonly Option[] };
}

const OWN_OPTIONS: readonly string[] = ['-p', '-s', '-d', '-i', '-o', '-f', '-4', '-6', '-c'];

/** Sorts the arguments of a rule into matches and a target. */
export function specificationOf(words: readonly Word[]): Specification {
  const own: Option[] = [];
  const matchers: { module: string; options: Option[] }[] = [{ module: '', options: own }];
  let current = own;
  let target: { name: string; goto: boolean; options: Option[] } | undefined;
  let index = 0;
  let negated = false;
  while (index < words.length) {
    const { text, quoted } = words[index++]!;
    if (!quoted && text === '!') {
      negated = true;
      continue;
    }
    const values: string[] = [];
    while (index < words.length && !startsOption(words[index]!, words[index + 1])) values.push(words[index++]!.text);
    // Versions before 1.4.3 write `--dport ! 22`.
    const inverted = values[0] === '!' && values.length > 1;
    const option = { name: text, negated: negated || inverted, values: inverted ? values.slice(1) : values };
    negated = false;
    if (text === '-m' || text === '--match') {
      current = [];
      matchers.push({ module: values[0] ?? '', options: current });
    } else if (text === '-j' || text === '-g' || text === '--jump' || text === '--goto') {
      current = [];
      target = { name: values[0] ?? '', goto: text === '-g' || text === '--goto', options: current };
    } else if (OWN_OPTIONS.includes(text) && target === undefined) own.push(option);
    else current.push(option);
  }
  return { matchers, ...(target === undefined ? {} : { target }) };
}

function startsOption({ text, quoted }: Word, next: Word | undefined): boolean {
  if (quoted) return false;
  if (text === '!') return next !== undefined && !next.quoted && /^-/.test(next.text);
  return /^(-[a-zA-Z46]$|--[a-z])/.test(text);
}
