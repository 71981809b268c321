import { isKnown } from '../netfilter/bits.ts';
import { allOf, anyOf, depends, isSure, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import type { Constant } from './data-types.ts';
import { asObject, jsonText, tagged } from './json.ts';
import type { Operand } from './operand.ts';

/** A named set or map. */
export interface NftSet {
  readonly name: string;
  /** As nft writes them; undefined when the reading leaves them out. */
  readonly elements: readonly unknown[] | undefined;
  /** Elements of the reading before the watch. */
  readonly before?: readonly unknown[];
  /** Elements come and go by themselves: they time out, or packets add them. */
  readonly volatile: boolean;
}

/** An element that a value may equal. */
export interface Match {
  readonly truth: Truth;
  /** What the element maps to, in a map. */
  readonly data?: unknown;
}

interface Element {
  /** One constant for each part of the value; undefined where it is not understood. */
  readonly parts: readonly (Constant | undefined)[];
  /** `*`: what no other element takes. */
  readonly rest: boolean;
  /** It has a limit or quota of its own. */
  readonly limited: boolean;
  readonly data: unknown;
}

/** Elements in the order of a search. */
interface Elements {
  /** Those of one value that is one number. */
  readonly exact: ReadonlyMap<bigint, Element>;
  readonly others: readonly Element[];
  readonly rest: Element | undefined;
}

/** Elements that were parsed already, by the list that holds them and the types that they were parsed as. */
const parsed = new WeakMap<readonly unknown[], Map<string, Elements>>();

/** Elements that a value equals, or may equal. A sure one comes alone. */
export function findElements(elements: readonly unknown[], value: readonly Operand[], isMap: boolean): Match[] {
  const { exact, others, rest } = elementsOf(elements, value, isMap);
  const found: Match[] = [];
  const single = value.length === 1 ? value[0]?.bits : undefined;
  const known = single !== undefined && isKnown(single);
  const hit = known ? exact.get(single.value) : undefined;
  const likely = known ? (hit === undefined ? [] : [hit]) : exact.values();
  for (const some of [likely, others]) {
    for (const element of some) {
      const truth = matches(element, value);
      if (truth === false) continue;
      if (truth === true && !element.limited) return [{ truth, data: element.data }];
      found.push({ truth: truth === true ? depends('rate-limit') : truth, data: element.data });
    }
  }
  if (rest !== undefined) {
    const truth = found.length === 0 ? true : anyOf(found.map((one) => one.truth));
    found.push({ truth, data: rest.data });
  }
  return found;
}

/** Whether a set holds a value. */
export function contains(elements: readonly unknown[], value: readonly Operand[]): Truth {
  return anyOf(findElements(elements, value, false).map(({ truth }) => truth));
}

/** Whether a named set held a value while the packet passed. */
export function setContains(set: NftSet | undefined, value: readonly Operand[]): Truth {
  if (set?.elements === undefined) return depends('set');
  const now = contains(set.elements, value);
  if (set.before === undefined) return set.volatile ? doubtful(now) : now;
  return contains(set.before, value) === now ? now : doubtful(now);
}

/** Elements of a named map that a value had while the packet passed. */
export function mapElements(set: NftSet | undefined, value: readonly Operand[]): Match[] {
  if (set?.elements === undefined) return [];
  const now = findElements(set.elements, value, true);
  const sure = set.before === undefined ? !set.volatile : sameMatches(findElements(set.before, value, true), now);
  return sure ? now : now.map(({ truth, data }) => ({ truth: doubtful(truth), data }));
}

function sameMatches(a: readonly Match[], b: readonly Match[]): boolean {
  const text = (matches: readonly Match[]): string => jsonText(matches.map(({ truth, data }) => [truth, data]));
  return text(a) === text(b);
}

function doubtful(truth: Truth): Truth {
  return isSure(truth) ? depends('set') : truth;
}

function matches({ parts }: Element, value: readonly Operand[]): Truth {
  if (parts.length !== value.length) return UNKNOWN;
  return allOf(
    parts.map((part, index) => (part === undefined ? (value[index]!.doubt ?? UNKNOWN) : value[index]!.compare(part))),
  );
}

function elementsOf(elements: readonly unknown[], value: readonly Operand[], isMap: boolean): Elements {
  const types = `${isMap} ${value.map(({ type }) => type.name).join(' ')}`;
  let byTypes = parsed.get(elements);
  if (byTypes === undefined) {
    byTypes = new Map();
    parsed.set(elements, byTypes);
  }
  let sorted = byTypes.get(types);
  if (sorted === undefined) {
    sorted = sortElements(elements, value, isMap);
    byTypes.set(types, sorted);
  }
  return sorted;
}

function sortElements(elements: readonly unknown[], value: readonly Operand[], isMap: boolean): Elements {
  const exact = new Map<bigint, Element>();
  const others: Element[] = [];
  let rest: Element | undefined;
  for (const json of elements) {
    const element = parseElement(json, value, isMap);
    const [part] = element.parts;
    if (element.rest) rest = element;
    else if (element.parts.length === 1 && part !== undefined && 'first' in part && part.first === part.last) {
      exact.set(part.first, element);
    } else others.push(element);
  }
  return { exact, others, rest };
}

function parseElement(json: unknown, value: readonly Operand[], isMap: boolean): Element {
  const [key, data] = isMap && Array.isArray(json) ? [json[0], json[1]] : [json, undefined];
  const expression = tagged(key);
  const inner = expression?.tag === 'elem' ? asObject(expression.body) : undefined;
  const constant = inner === undefined ? key : inner.val;
  return {
    parts: partsOf(constant, value),
    rest: constant === '*',
    limited: inner !== undefined && ('limit' in inner || 'quota' in inner || 'ct count' in inner),
    data,
  };
}

function partsOf(constant: unknown, value: readonly Operand[]): readonly (Constant | undefined)[] {
  const expression = tagged(constant);
  if (expression?.tag === 'concat' && Array.isArray(expression.body)) {
    return expression.body.map((part: unknown, index) => value[index]?.type.parse(part));
  }
  return [value[0]?.type.parse(constant)];
}
