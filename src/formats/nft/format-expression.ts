import { MAX_NESTING } from './data-types.ts';
import { asList, asObject, type Json, pairOf, tagged, textOf, textsOf } from './json.ts';

/** How nft writes constants, by what they are compared with. */
export type Style = 'plain' | 'quoted' | 'mark' | 'flags' | 'hex' | 'seconds';

/** Names of devices and the like stand in quotes. */
const QUOTED: readonly string[] = [
  'iif',
  'oif',
  'iifname',
  'oifname',
  'iifgroup',
  'oifgroup',
  'iifkind',
  'oifkind',
  'hour',
  'day',
];
/** Keys of `meta` that are written without `meta`. */
const UNQUALIFIED: readonly string[] = ['iif', 'oif', 'iifname', 'oifname', 'iifgroup', 'oifgroup'];

/** How constants are written that an expression is compared with. */
export function styleOf(json: unknown, depth: number = MAX_NESTING): Style {
  const expression = tagged(json);
  const key = textOf(expression?.body, 'key') ?? '';
  switch (expression?.tag) {
    case 'meta':
      return key === 'mark' ? 'mark' : QUOTED.includes(key) ? 'quoted' : 'plain';
    case 'ct':
      if (key === 'mark') return 'mark';
      return key === 'helper'
        ? 'quoted'
        : key === 'expiration'
          ? 'seconds'
          : key === 'state' || key === 'status'
            ? 'flags'
            : 'plain';
    case 'osf':
      return 'quoted';
    case 'fib':
      return textOf(expression.body, 'result') === 'type' ? 'plain' : 'quoted';
    case 'payload':
      if (textOf(expression.body, 'base') !== undefined) return 'hex';
      return textOf(expression.body, 'field') === 'flags' ? 'flags' : 'plain';
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return depth > 0 ? styleOf(pairOf(expression.body)?.[0], depth - 1) : 'plain';
    default:
      return 'plain';
  }
}

/** Formats an expression in the syntax of nft. */
export function formatExpression(
  json: unknown,
  style: Style | readonly Style[] = 'plain',
  depth: number = MAX_NESTING,
): string {
  if (depth <= 0) return '...';
  const own = typeof style === 'string' ? style : (style[0] ?? 'plain');
  const inner = (part: unknown, as: Style | readonly Style[] = style): string => formatExpression(part, as, depth - 1);
  if (Array.isArray(json)) return json.map((part) => inner(part)).join(',');
  const expression = tagged(json);
  if (expression === undefined) return formatConstant(json, own);
  const { tag, body } = expression;
  const object = asObject(body) ?? {};
  const pair = pairOf(body);
  switch (tag) {
    case 'prefix':
      return `${inner(object.addr)}/${String(object.len)}`;
    case 'range':
      return `${inner(pair?.[0])}-${inner(pair?.[1])}`;
    case 'set':
      return `{ ${asList(body)
        .map((part) => inner(part))
        .join(', ')} }`;
    case 'concat':
      return asList(body)
        .map((part, index) => inner(part, typeof style === 'string' ? style : (style[index] ?? 'plain')))
        .join(' . ');
    case 'elem':
      return formatElement(object, inner);
    case 'map':
      return `${inner(object.key, 'plain')} map ${formatMap(object.key, object.data, own, depth)}`;
    case '|':
      return asList(body)
        .map((part) => inner(part, styleOfOperand(json, style)))
        .join(' | ');
    case '&':
    case '^':
    case '<<':
    case '>>': {
      const as = styleOf(json);
      const right = inner(pair?.[1], as);
      return `${inner(pair?.[0], as)} ${tag} ${tagged(pair?.[1])?.tag === '|' ? `(${right})` : right}`;
    }
    case 'jump':
    case 'goto':
      return `${tag} ${textOf(body, 'target') ?? ''}`;
    default:
      return formatRead(tag, object, inner);
  }
}

function styleOfOperand(json: unknown, style: Style | readonly Style[]): Style | readonly Style[] {
  const found = styleOf(json);
  return found === 'plain' ? style : found;
}

function formatElement(body: Json, inner: (part: unknown) => string): string {
  const timeout = typeof body.timeout === 'number' ? ` timeout ${formatSeconds(body.timeout)}` : '';
  const comment = typeof body.comment === 'string' ? ` comment "${body.comment}"` : '';
  return `${inner(body.val)}${timeout}${comment}`;
}

/** Formats the right side of `map` and `vmap`: a named one, or pairs. */
export function formatMap(key: unknown, data: unknown, values: Style, depth: number = MAX_NESTING): string {
  if (typeof data === 'string') return data;
  const keys = stylesOf(key);
  const pairs = asList(tagged(data)?.body).map((element) => {
    const pair = pairOf(element);
    return `${formatExpression(pair?.[0], keys, depth - 1)} : ${formatExpression(pair?.[1], values, depth - 1)}`;
  });
  return `{ ${pairs.join(', ')} }`;
}

/** How constants are written, one by one, that a concatenation is compared with. */
export function stylesOf(json: unknown): Style | readonly Style[] {
  const expression = tagged(json);
  return expression?.tag === 'concat' ? asList(expression.body).map((part) => styleOf(part)) : styleOf(json);
}

/** Formats what is read from the packet or its connection. */
function formatRead(tag: string, body: Json, inner: (part: unknown) => string): string {
  const word = (key: string): string => textOf(body, key) ?? '';
  const parts = (...words: readonly string[]): string => words.filter((one) => one !== '').join(' ');
  const offset = typeof body.offset === 'number' && body.offset !== 0 ? `offset ${body.offset}` : '';
  switch (tag) {
    case 'payload': {
      if (typeof body.base !== 'string') return parts(word('protocol'), word('field'));
      return `@${body.base},${String(body.offset)},${String(body.len)}`;
    }
    case 'meta':
      return UNQUALIFIED.includes(word('key')) ? word('key') : parts('meta', word('key'));
    case 'ct':
      return parts('ct', word('dir'), word('key'));
    case 'rt':
      return parts('rt', word('family'), word('key'));
    case 'fib':
      return parts('fib', textsOf(body.flags).join(' . '), word('result'));
    case 'tcp option':
    case 'ip option':
    case 'sctp chunk':
    case 'dccp option':
      return parts(tag, word('name'), word('field'));
    case 'exthdr':
      return word('field') === '' ? parts('exthdr', word('name')) : parts(word('name'), word('field'));
    case 'numgen':
      return parts('numgen', word('mode'), `mod ${String(body.mod)}`, offset);
    case 'jhash':
      return parts('jhash', inner(body.expr), `mod ${String(body.mod)}`, offset);
    case 'symhash':
      return parts('symhash', `mod ${String(body.mod)}`, offset);
    default:
      return parts(tag, word('dir'), word('key'), word('name'));
  }
}

function formatConstant(json: unknown, style: Style): string {
  if (json === null || json === undefined) return '';
  if (typeof json === 'number') {
    if (style === 'mark') return `0x${json.toString(16).padStart(8, '0')}`;
    if (style === 'flags' || style === 'hex') return `0x${json.toString(16)}`;
    return style === 'seconds' ? formatSeconds(json) : String(json);
  }
  if (typeof json !== 'string') return String(json);
  return style === 'quoted' && !json.startsWith('@') && json !== '*' && json !== '0' ? `"${json}"` : json;
}

/** Formats a duration as nft does: `1m`, `1h30s`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return '0s';
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  const text = [
    [days, 'd'],
    [hours, 'h'],
    [minutes, 'm'],
    [Math.floor(seconds % 60), 's'],
  ]
    .filter(([count]) => count !== 0)
    .map(([count, unit]) => `${count}${unit}`);
  return text.join('');
}
