import { bits, combineBits, eitherBits, isKnown, unknownBits } from '../netfilter/bits.ts';
import { depends, isSure, join, UNKNOWN } from '../netfilter/truth.ts';
import type { Scene } from './context.ts';
import { type DataType, INTEGER, IPV4, IPV6, MAX_NESTING } from './data-types.ts';
import { extensionValue, payloadValue, tcpOptionValue } from './fields.ts';
import { asObject, pairOf, tagged } from './json.ts';
import { ctValue, fibValue, metaValue, socketValue } from './keys.ts';
import { ABSENT, number, type Operand, obscure, type Value } from './operand.ts';
import { findElements, type Match, mapElements } from './sets.ts';

/** The value of an expression for one packet. A constant is read as `type`. */
export function evaluate(json: unknown, scene: Scene, type: DataType = INTEGER, depth: number = MAX_NESTING): Value {
  const expression = tagged(json);
  if (depth <= 0) return obscure(UNKNOWN);
  if (expression === undefined) return constant(json, type);
  const { tag, body } = expression;
  const object = asObject(body) ?? {};
  switch (tag) {
    case 'payload':
      return payloadValue(object, scene.view);
    case 'meta':
      return metaValue(object, scene.view);
    case 'ct':
      return ctValue(object, scene.view);
    case 'fib':
      return fibValue(object, scene.view);
    case 'socket':
      return socketValue();
    case 'tcp option':
      return tcpOptionValue(object, scene.view);
    case 'exthdr':
    case 'ip option':
      return extensionValue(object);
    case 'concat':
      return concatenation(body, scene, depth);
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return calculation(tag, body, scene, type, depth);
    case 'map':
      return mapped(object, scene, type, depth);
    case 'numgen':
      // A number below 1.
      if (object.mod === 1)
        return number(INTEGER, bits(typeof object.offset === 'number' ? Math.trunc(object.offset) : 0));
      return number(INTEGER, unknownBits(32, depends('random')));
    case 'jhash':
    case 'symhash':
      return number(INTEGER, unknownBits(32));
    case 'osf':
      return obscure(depends('options'));
    default:
      return obscure(UNKNOWN);
  }
}

function constant(json: unknown, type: DataType): Value {
  const parsed = type.parse(json);
  if (parsed === undefined || 'text' in parsed || parsed.first !== parsed.last) return obscure(UNKNOWN);
  return number(type, bits(parsed.first));
}

function concatenation(body: unknown, scene: Scene, depth: number): Value {
  if (!Array.isArray(body)) return obscure(UNKNOWN);
  const parts: Operand[] = [];
  for (const part of body) {
    const value = evaluate(part, scene, typeOf(part), depth - 1);
    if (value === ABSENT) return ABSENT;
    parts.push(single(value));
  }
  return parts;
}

/** What a constant in a concatenation is, by its looks. */
function typeOf(json: unknown): DataType {
  if (typeof json !== 'string') return INTEGER;
  return IPV4.parse(json) !== undefined ? IPV4 : IPV6.parse(json) !== undefined ? IPV6 : INTEGER;
}

/** One value; a concatenation where one is expected is not understood. */
export function single(value: Exclude<Value, typeof ABSENT>): Operand {
  return isOperand(value) ? value : obscure(UNKNOWN);
}

/** The values that a concatenation joins; one value stands for itself. */
export function partsOf(value: Exclude<Value, typeof ABSENT>): readonly Operand[] {
  return isOperand(value) ? [value] : value;
}

function isOperand(value: Exclude<Value, typeof ABSENT>): value is Operand {
  return !Array.isArray(value);
}

function calculation(
  tag: '&' | '|' | '^' | '<<' | '>>',
  body: unknown,
  scene: Scene,
  type: DataType,
  depth: number,
): Value {
  const pair = pairOf(body);
  if (pair === undefined) return obscure(UNKNOWN);
  const left = evaluate(pair[0], scene, type, depth - 1);
  if (left === ABSENT) return ABSENT;
  const a = single(left);
  const right = evaluate(pair[1], scene, a.type, depth - 1);
  if (right === ABSENT) return ABSENT;
  const b = single(right);
  if (a.bits === undefined || b.bits === undefined) return obscure(join(a.doubt, b.doubt) ?? UNKNOWN);
  if (tag !== '<<' && tag !== '>>') return number(a.type, combineBits(tag, a.bits, b.bits));
  if (!isKnown(a.bits) || !isKnown(b.bits) || b.bits.value > 128n) return obscure(join(a.doubt, b.doubt) ?? UNKNOWN);
  const shifted = tag === '<<' ? (a.bits.value << b.bits.value) & 0xffff_ffffn : a.bits.value >> b.bits.value;
  return number(a.type, bits(shifted));
}

/** Elements of a map, named or written into the rule, that the value of its key has. */
export function lookUp(data: unknown, key: readonly Operand[], scene: Scene): Match[] | undefined {
  if (typeof data === 'string') {
    const set = scene.sets.get(data.replace(/^@/, ''));
    return set?.elements === undefined ? undefined : mapElements(set, key);
  }
  const expression = tagged(data);
  if (expression?.tag !== 'set' || !Array.isArray(expression.body)) return undefined;
  return findElements(expression.body, key, true);
}

/** A value that a map gives; several candidates make its bits unknown. */
function mapped(body: Readonly<Record<string, unknown>>, scene: Scene, type: DataType, depth: number): Value {
  const key = evaluate(body.key, scene, INTEGER, depth - 1);
  if (key === ABSENT) return ABSENT;
  const found = lookUp(body.data, partsOf(key), scene);
  if (found === undefined) return obscure(depends('set'));
  if (found.length === 0) return ABSENT;
  let result: Operand | undefined;
  for (const { truth, data } of found) {
    const value = evaluate(data, scene, type, depth - 1);
    if (value === ABSENT) return obscure(UNKNOWN);
    if (!isOperand(value)) return found.length === 1 && truth === true ? value : obscure(UNKNOWN);
    if (value.bits === undefined) return obscure(value.doubt ?? UNKNOWN);
    const doubt = isSure(truth) ? undefined : truth;
    result =
      result?.bits === undefined ? value : number(type, eitherBits(result.bits, value.bits, doubt ?? result.doubt));
  }
  return result ?? ABSENT;
}
