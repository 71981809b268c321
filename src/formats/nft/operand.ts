import { type Bits, inRange, isKnown } from '../netfilter/bits.ts';
import { type Names, testNames } from '../netfilter/names.ts';
import type { Doubt, Truth } from '../netfilter/truth.ts';
import { type Constant, type DataType, OPAQUE, TEXT } from './data-types.ts';

/** The value of an expression for one packet. */
export interface Operand {
  readonly type: DataType;
  /** The value as a number; absent when it is none. */
  readonly bits?: Bits;
  /** Whether it equals a constant, or lies in its range. */
  compare(constant: Constant): Truth;
  /** Why nothing that it is compared with decides; absent when a comparison may. */
  readonly doubt?: Doubt;
}

/** The expression has no value for this packet: the rule does not match, whatever it compares (NFT_BREAK). */
export const ABSENT = 'absent';

/** What an expression gives: a value, several that are joined (concatenation), or none. */
export type Value = Operand | readonly Operand[] | typeof ABSENT;

/** A number. */
export function number(type: DataType, bits: Bits): Operand {
  return {
    type,
    bits,
    compare: (constant) => ('text' in constant ? (bits.doubt ?? false) : inRange(bits, constant.first, constant.last)),
    ...(!isKnown(bits) && bits.doubt !== undefined ? { doubt: bits.doubt } : {}),
  };
}

/** Something that nobody knows. */
export function obscure(doubt: Doubt): Operand {
  return { type: OPAQUE, compare: () => doubt, doubt };
}

/** Name of a device; constants may end in `*`. */
export function deviceName(names: Names): Operand {
  return {
    type: TEXT,
    compare: (constant) => ('text' in constant ? testNames(names, (name) => nameMatches(constant.text, name)) : false),
  };
}

/** Something that is asked about a name. */
export function asked(test: (text: string) => Truth): Operand {
  return { type: TEXT, compare: (constant) => ('text' in constant ? test(constant.text) : false) };
}

/** Whether a device has a name as rules write it: `eth0`, `eth*`, `odd\*` with a star of its own. */
export function nameMatches(pattern: string, name: string): boolean {
  if (pattern.endsWith('\\*')) return name === `${pattern.slice(0, -2)}*`;
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
