import type { Condition } from '../netfilter/truth.ts';
import { MAX_NESTING } from './data-types.ts';
import { asObject, jsonText, tagged, textOf } from './json.ts';

/** What a rule asks of a packet besides addresses and ports. */
export function asksOf(statements: readonly unknown[]): readonly Condition[] {
  const found = new Set<Condition>();
  for (const statement of statements) {
    const expression = tagged(statement);
    const body = asObject(expression?.body);
    switch (expression?.tag) {
      case 'match':
        readsOf(body?.left, body?.right, found);
        break;
      case 'vmap':
        // A named verdict map is how rules are arranged, not a list of the banned.
        readsOf(body?.key, typeof body?.data === 'string' ? undefined : body?.data, found);
        break;
      case 'limit':
      case 'quota':
        found.add('rate-limit');
        break;
      case 'ct count':
        found.add('connection-limit');
        break;
      case 'meter':
      case 'set':
        for (const inner of [body?.stmt].flat()) {
          const tag = tagged(inner)?.tag;
          if (tag === 'limit' || tag === 'quota') found.add('rate-limit');
          if (tag === 'ct count') found.add('connection-limit');
        }
        break;
      default:
    }
  }
  return [...found];
}

/** What one side of a match reads; the other side tells which states it is about. */
function readsOf(left: unknown, right: unknown, found: Set<Condition>, depth: number = MAX_NESTING): void {
  const expression = tagged(left);
  const body = expression?.body;
  const [key, field] = [textOf(body, 'key'), textOf(body, 'field')];
  // Who is in a set matters; which of its own addresses and ports a host has in sets does not.
  if (field === 'saddr' && typeof right === 'string' && right.startsWith('@')) found.add('set');
  switch (expression?.tag) {
    case 'ct':
      if (key === 'state') for (const condition of statesOf(right)) found.add(condition);
      else found.add(key === 'mark' ? 'mark' : 'ct-state');
      break;
    case 'meta':
      if (key === 'mark') found.add('mark');
      if (key === 'skuid' || key === 'skgid' || key === 'cgroup') found.add('owner');
      if (key === 'hour' || key === 'day' || key === 'time') found.add('time');
      if (key === 'random') found.add('random');
      break;
    case 'socket':
      found.add('owner');
      break;
    case 'numgen':
      found.add('random');
      break;
    case 'fib':
      if (textOf(body, 'result') !== 'type') found.add('reverse-path');
      break;
    case 'tcp option':
      found.add('options');
      break;
    case 'payload':
      if (field === 'ecn' || (field === 'flags' && /"(ecn|cwr)"/.test(jsonText(right).slice(0, 4096))))
        found.add('ecn');
      break;
    case 'concat':
    case '&':
    case '|':
      if (Array.isArray(body) && depth > 0) {
        for (const part of body.slice(0, 16))
          readsOf(part, typeof right === 'string' ? right : [right, body], found, depth - 1);
      }
      break;
    default:
  }
}

/** States that a rule names decide what its hit means: a new connection, an invalid packet, another state. */
function statesOf(right: unknown): readonly Condition[] {
  const text = jsonText(right).slice(0, 4096);
  const states: Condition[] = [];
  if (text.includes('"invalid"')) states.push('ct-invalid');
  if (text.includes('"new"')) states.push('ct-new');
  return states.length > 0 ? states : ['ct-state'];
}
