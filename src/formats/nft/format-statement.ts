import { MAX_NESTING } from './data-types.ts';
import { formatExpression, formatMap, formatSeconds, styleOf, stylesOf } from './format-expression.ts';
import { asList, asObject, type Json, pairOf, tagged, textOf, textsOf } from './json.ts';

/** Longest text of a rule; what is longer is cut. */
const MAX_LENGTH = 2000;

/** Formats a rule as `nft -s list ruleset` prints it: without the numbers of counters. */
export function formatRule(family: string, statements: readonly unknown[], comment?: string): string {
  const parts = statements.map((statement) => formatStatement(statement, family));
  if (comment !== undefined) parts.push(`comment "${comment}"`);
  const text = parts.filter((part) => part !== '').join(' ');
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}

function formatStatement(json: unknown, family: string, depth: number = MAX_NESTING): string {
  const statement = tagged(json);
  if (statement === undefined || depth <= 0) return '...';
  const { tag, body } = statement;
  const object = asObject(body) ?? {};
  if (typeof body === 'string' && ['counter', 'limit', 'quota', 'synproxy'].includes(tag))
    return `${tag} name "${body}"`;
  switch (tag) {
    case 'match':
      return formatMatch(object);
    case 'vmap':
      return `${formatExpression(object.key)} vmap ${formatMap(object.key, object.data, 'plain')}`;
    case 'jump':
    case 'goto':
      return `${tag} ${textOf(body, 'target') ?? ''}`;
    case 'limit':
      return formatLimit(object);
    case 'quota':
      return `quota ${object.inv === true ? 'over ' : ''}${String(object.val)} ${textOf(object, 'val_unit') ?? 'bytes'}`;
    case 'ct count':
      return `ct count ${object.inv === true ? 'over ' : ''}${String(object.val)}`;
    case 'reject':
      return formatReject(object, family);
    case 'log':
      return formatLog(object);
    case 'mangle':
      return `${formatExpression(object.key)} set ${formatExpression(object.value, styleOf(object.key))}`;
    case 'set':
    case 'map':
      return formatUpdate(tag, object, family, depth);
    case 'meter':
      return `meter ${textOf(object, 'name') ?? ''}${object.size === undefined ? '' : ` size ${String(object.size)}`} { ${formatExpression(object.key)} ${formatStatement(object.stmt, family, depth - 1)} }`;
    case 'queue':
      return formatQueue(object);
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
    case 'tproxy':
      return formatTranslation(tag, object);
    case 'synproxy':
      return formatSynproxy(object);
    case 'fwd':
    case 'dup':
      return formatDevice(tag, object);
    case 'flow':
      return `flow ${textOf(object, 'op') ?? 'add'} ${textOf(object, 'flowtable') ?? ''}`;
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
      return `${tag} set "${typeof body === 'string' ? body : ''}"`;
    case 'xt':
      return `xt ${textOf(object, 'type') ?? ''} "${textOf(object, 'name') ?? ''}"`;
    default:
      return tag;
  }
}

/** Operators are written where without them something else would be meant. */
function formatMatch({ op, left, right }: Json): string {
  const style = stylesOf(left);
  const negated = op === '!=';
  const mask = tagged(left)?.tag === '&' ? pairOf(tagged(left)?.body) : undefined;
  if (mask !== undefined && Array.isArray(mask[1]) && (op === '==' || negated)) {
    const flags = formatExpression(right, style);
    return `${formatExpression(mask[0])}${negated ? ' !=' : ''} ${flags} / ${formatExpression(mask[1], style)}`;
  }
  const computed = ['&', '|', '^', '<<', '>>'].includes(tagged(left)?.tag ?? '');
  const inSet = tagged(right)?.tag === 'set' || (typeof right === 'string' && right.startsWith('@'));
  const explicit = op !== 'in' && (op !== '==' || computed || (style === 'flags' && !inSet));
  const value = typeof right === 'boolean' ? (right ? 'exists' : 'missing') : formatExpression(right, style);
  return `${formatExpression(left)}${explicit && typeof right !== 'boolean' ? ` ${String(op)}` : ''} ${value}`;
}

function formatLimit(body: Json): string {
  const unit = textOf(body, 'rate_unit');
  const rate = `${String(body.rate)}${unit === undefined || unit === 'packets' ? '' : ` ${unit}`}/${textOf(body, 'per') ?? 'second'}`;
  const burst = typeof body.burst === 'number' ? body.burst : 0;
  const usual = unit === undefined || unit === 'packets' ? 5 : 0;
  const shown = burst === usual || burst === 0 ? '' : ` burst ${burst} ${textOf(body, 'burst_unit') ?? 'packets'}`;
  return `limit rate ${body.inv === true ? 'over ' : ''}${rate}${shown}`;
}

/** What a reject sends that does not say it, by the family of the table. */
const USUAL_REJECT: Readonly<Record<string, string>> = { ip: 'icmp', ip6: 'icmpv6', inet: 'icmpx' };

function formatReject(body: Json, family: string): string {
  const [type, code] = [textOf(body, 'type'), textOf(body, 'expr')];
  if (type === undefined || (type === USUAL_REJECT[family] && code === 'port-unreachable')) return 'reject';
  return type === 'tcp reset' ? 'reject with tcp reset' : `reject with ${type} ${code ?? ''}`.trimEnd();
}

function formatLog(body: Json): string {
  const prefix = textOf(body, 'prefix');
  const words = ['log', ...(prefix === undefined ? [] : [`prefix "${prefix}"`])];
  for (const key of ['group', 'snaplen', 'queue-threshold', 'level']) {
    if (body[key] !== undefined) words.push(`${key} ${formatExpression(body[key])}`);
  }
  if (body.flags !== undefined) words.push(`flags ${textsOf(body.flags).join(',')}`);
  return words.join(' ');
}

function formatUpdate(tag: 'set' | 'map', body: Json, family: string, depth: number): string {
  const element = tagged(body.elem)?.tag === 'elem' ? (asObject(tagged(body.elem)?.body) ?? {}) : { val: body.elem };
  const words = [formatExpression(element.val)];
  if ('timeout' in element && typeof element.timeout === 'number')
    words.push(`timeout ${formatSeconds(element.timeout)}`);
  words.push(...asList(body.stmt).map((statement) => formatStatement(statement, family, depth - 1)));
  if (tag === 'map') words.push(`: ${formatExpression(body.data)}`);
  return `${textOf(body, 'op') ?? 'add'} ${textOf(body, tag) ?? ''} { ${words.join(' ')} }`;
}

function formatQueue(body: Json): string {
  const flags = textsOf(body.flags);
  return `queue${flags.length === 0 ? '' : ` flags ${flags.join(',')}`} to ${formatExpression(body.num ?? 0)}`;
}

function formatTranslation(tag: string, body: Json): string {
  const words = [tag, ...(textOf(body, 'family') === undefined ? [] : [textOf(body, 'family')!])];
  const address = body.addr === undefined ? '' : formatExpression(body.addr);
  const port = body.port === undefined ? '' : `:${formatExpression(body.port)}`;
  const host = port !== '' && address.includes(':') && !address.includes(' ') ? `[${address}]` : address;
  if (host + port !== '') words.push('to', `${host}${port}`);
  const flags = textsOf(body.flags);
  if (flags.length > 0) words.push(flags.join(','));
  return words.join(' ');
}

function formatSynproxy(body: Json): string {
  const words = ['synproxy'];
  for (const key of ['mss', 'wscale']) if (body[key] !== undefined) words.push(`${key} ${String(body[key])}`);
  return [...words, ...textsOf(body.flags)].join(' ');
}

function formatDevice(tag: string, body: Json): string {
  const quote = (text: unknown): string =>
    typeof text === 'string' && !/^[\d:.]/.test(text) ? `"${text}"` : formatExpression(text);
  const address = body.addr === undefined ? [] : [quote(body.addr)];
  const device = body.dev === undefined ? [] : [`${address.length > 0 ? 'device ' : ''}${quote(body.dev)}`];
  return [tag, 'to', ...address, ...device].join(' ');
}
