import { type Bits, unknownBits } from '../netfilter/bits.ts';
import type { Translation } from '../netfilter/packet.ts';
import type { Verdict } from '../netfilter/ruleset.ts';
import type { Scene } from './context.ts';
import { INTEGER, IPV4, IPV6 } from './data-types.ts';
import { evaluate, partsOf } from './expression.ts';
import { asList, asObject, numberOf, pairOf, tagged, textOf } from './json.ts';
import { ABSENT } from './operand.ts';

/** Why a statement has no verdict for this packet: it is for the other family, or its map has no such key. */
export const NO_MATCH = 'no match';

/** A verdict as it stands in a rule or a verdict map: `{"drop": null}`, `{"jump": {"target": "x"}}`. */
export function plainVerdict(json: unknown): Verdict | undefined {
  const expression = tagged(json);
  switch (expression?.tag) {
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
      return { kind: expression.tag };
    case 'jump':
    case 'goto': {
      const chain = textOf(expression.body, 'target');
      return chain === undefined ? undefined : { kind: expression.tag, chain };
    }
    default:
      return undefined;
  }
}

/** Verdicts of statements that need no packet to be told: for finding rules that decide. */
export function statementVerdict(tag: string, body: unknown): Verdict | undefined {
  switch (tag) {
    case 'reject':
      return reject(body);
    case 'queue':
      return queue(body);
    case 'synproxy':
      return { kind: 'synproxy' };
    case 'fwd':
      // Sent out through another device: this host never sees it again.
      return { kind: 'drop' };
    case 'dnat':
    case 'redirect':
      return { kind: tag, to: {} };
    case 'tproxy':
      return { kind: 'tproxy', to: {} };
    case 'snat':
    case 'masquerade':
      return { kind: 'snat', to: {} };
    default:
      return plainVerdict({ [tag]: body });
  }
}

function reject(body: unknown): Verdict {
  const type = textOf(body, 'type');
  if (type === 'tcp reset') return { kind: 'reject', with: 'tcp-reset' };
  return { kind: 'reject', with: textOf(body, 'expr') ?? 'port-unreachable' };
}

function queue(body: unknown): Verdict {
  const bypass = asList(asObject(body)?.flags).includes('bypass');
  const number = body === null ? 0 : numberOf(body, 'num');
  if (number !== undefined) return { kind: 'queue', number, bypass };
  const range = tagged(asObject(body)?.num);
  const [first, last] = range?.tag === 'range' ? (pairOf(range.body) ?? []) : [];
  if (typeof first !== 'number' || typeof last !== 'number') return { kind: 'queue', bypass };
  return { kind: 'queue', number: first, last, bypass };
}

/** Families that a `reject` or a translation is for; undefined for both. */
function familyOf(tag: string, body: unknown): 4 | 6 | undefined {
  const name = textOf(body, tag === 'reject' ? 'type' : 'family');
  if (name === 'icmp' || name === 'ip') return 4;
  if (name === 'icmpv6' || name === 'ip6') return 6;
  const address = textOf(body, 'addr');
  if (address === undefined) return undefined;
  return IPV4.parse(address) === undefined ? 6 : 4;
}

/** What a statement that ends a rule does with a packet; undefined when it is no such statement. */
export function verdictFor(tag: string, body: unknown, scene: Scene): Verdict | typeof NO_MATCH | undefined {
  const verdict = statementVerdict(tag, body);
  if (verdict === undefined) return undefined;
  const family = familyOf(tag, body);
  if (family !== undefined && family !== scene.view.packet.family) return NO_MATCH;
  if (!('to' in verdict)) return verdict;
  const to = tag === 'masquerade' ? { address: unknownBits(width(scene)) } : translation(body, scene);
  return to === NO_MATCH ? NO_MATCH : { ...verdict, to };
}

function translation(body: unknown, scene: Scene): Translation | typeof NO_MATCH {
  const object = asObject(body);
  const type = scene.view.packet.family === 4 ? IPV4 : IPV6;
  const address = object?.addr === undefined ? undefined : evaluate(object.addr, scene, type);
  const port = object?.port === undefined ? undefined : evaluate(object.port, scene, INTEGER);
  if (address === ABSENT || port === ABSENT) return NO_MATCH;
  const known = (bits: Bits | undefined, bitWidth: number): Bits => bits ?? unknownBits(bitWidth);
  // A map may give address and port at once.
  const [first, second] = address === undefined ? [] : partsOf(address);
  const ports = port === undefined ? second : partsOf(port)[0];
  return {
    ...(first === undefined ? {} : { address: known(first.bits, width(scene)) }),
    ...(ports === undefined ? {} : { port: known(ports.bits, 16) }),
  };
}

function width({ view }: Scene): number {
  return view.packet.family === 4 ? 32 : 128;
}
