import { type Truth, UNKNOWN, xor } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import type { IpSets } from './ipset.ts';
import type { Matcher, Option } from './specification.ts';

/** One packet at one rule. */
export interface Scene {
  readonly view: PacketView;
  /** Sets that `ipset` listed; undefined when they could not be read. */
  readonly ipsets?: IpSets;
}

/** Whether one option holds, before its negation; undefined when it is not known. */
export type OptionTest = (values: readonly string[], scene: Scene, options: readonly Option[]) => Truth | undefined;

/** Options of a match module, each of which must hold. `null`: says how, asks nothing. */
export type OptionTests = Readonly<Record<string, OptionTest | null>>;

/** Whether all options of a matcher hold; an option that is not known may hold or not. */
export function testOptions(tests: OptionTests, { options }: Matcher, scene: Scene): readonly Truth[] {
  return options.map(({ name, negated, values }) => {
    const test = Object.hasOwn(tests, name) ? tests[name] : undefined;
    if (test === null) return true;
    return xor(test?.(values, scene, options) ?? UNKNOWN, negated);
  });
}

/** Value of another option of the same matcher. */
export function optionValue(options: readonly Option[], name: string): string | undefined {
  return options.find((option) => option.name === name)?.values[0];
}
