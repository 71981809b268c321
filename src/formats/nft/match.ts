import { anyBit, isBelow } from '../netfilter/bits.ts';
import { not, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import type { Scene } from './context.ts';
import { CT_STATE, CT_STATUS, type DataType, MAX_NESTING, TCP_FLAGS } from './data-types.ts';
import { evaluate, partsOf, single } from './expression.ts';
import { asObject, tagged } from './json.ts';
import { ABSENT, type Operand } from './operand.ts';
import { contains, setContains } from './sets.ts';

/** Whether `{"match": {"op", "left", "right"}}` holds for a packet. */
export function matchHolds(body: unknown, scene: Scene): Truth {
  const { op, left, right } = asObject(body) ?? {};
  const value = evaluate(left, scene);
  if (value === ABSENT) return false;
  const parts = partsOf(value);
  switch (op) {
    case '==':
      return equals(parts, right, scene, MAX_NESTING);
    case '!=':
      return not(equals(parts, right, scene, MAX_NESTING));
    case 'in':
      return implicit(parts, right, scene);
    case '!':
      return not(hasFlag(single(value), right));
    case '<':
      return below(single(value), right);
    case '>=':
      return not(below(single(value), right));
    case '>':
      return above(single(value), right);
    case '<=':
      return not(above(single(value), right));
    default:
      return UNKNOWN;
  }
}

/** Without an operator: one of the flags is set, where the value is made of flags (`tcp flags syn`); otherwise it is equal. */
function implicit(parts: readonly Operand[], right: unknown, scene: Scene): Truth {
  const [value] = parts;
  const one = tagged(right)?.tag !== 'set' && !(typeof right === 'string' && right.startsWith('@'));
  if (one && parts.length === 1 && FLAG_TYPES.includes(value!.type)) return hasFlag(value!, right);
  return equals(parts, right, scene, MAX_NESTING);
}

const FLAG_TYPES: readonly DataType[] = [TCP_FLAGS, CT_STATE, CT_STATUS];

function hasFlag(value: Operand, right: unknown): Truth {
  const mask = value.type.parse(right);
  if (value.bits === undefined || mask === undefined || 'text' in mask) return value.doubt ?? UNKNOWN;
  return anyBit(value.bits, mask.first);
}

function below(value: Operand, right: unknown): Truth {
  const limit = value.type.parse(right);
  if (value.bits === undefined || limit === undefined || 'text' in limit) return value.doubt ?? UNKNOWN;
  return isBelow(value.bits, limit.first);
}

function above(value: Operand, right: unknown): Truth {
  const limit = value.type.parse(right);
  if (value.bits === undefined || limit === undefined || 'text' in limit) return value.doubt ?? UNKNOWN;
  return not(isBelow(value.bits, limit.last + 1n));
}

function equals(parts: readonly Operand[], right: unknown, scene: Scene, depth: number): Truth {
  if (depth <= 0) return UNKNOWN;
  if (typeof right === 'string' && right.startsWith('@')) return setContains(scene.sets.get(right.slice(1)), parts);
  const expression = tagged(right);
  if (expression?.tag === 'set') {
    return Array.isArray(expression.body) ? contains(expression.body, parts) : UNKNOWN;
  }
  if (expression?.tag === 'elem') return equals(parts, asObject(expression.body)?.val, scene, depth - 1);
  if (isComputed(expression?.tag)) return equalsComputed(parts, right, scene);
  return contains([right], parts);
}

/** `tcp dport == tcp sport`, `meta mark == ct mark`: both sides are read from the packet. */
function isComputed(tag: string | undefined): boolean {
  return tag !== undefined && ['payload', 'meta', 'ct', 'map', '&', '^', '<<', '>>'].includes(tag);
}

function equalsComputed(parts: readonly Operand[], right: unknown, scene: Scene): Truth {
  const value = parts.length === 1 ? evaluate(right, scene, parts[0]!.type) : undefined;
  if (value === undefined || value === ABSENT) return UNKNOWN;
  const other = single(value);
  if (other.bits === undefined || other.bits.unknown !== 0n) return other.doubt ?? UNKNOWN;
  return parts[0]!.compare({ first: other.bits.value, last: other.bits.value });
}
