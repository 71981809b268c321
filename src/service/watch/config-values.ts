import { z } from 'zod';
import { parseAddress } from '../../formats/wire/address.ts';
import type { PortRanges, TimeWindow } from './config-types.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const UNITS_BYTES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Makes a schema of a text that a function understands; `what` says what it must be. */
function textOf<T>(what: string, parse: (text: string) => T | undefined): z.ZodType<T> {
  return z.union([z.string(), z.number()], { error: `must be ${what}` }).transform((given, context) => {
    const value = parse(String(given));
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  }) as unknown as z.ZodType<T>;
}

/** Milliseconds of `30s`, `10m`, `2h`, `7d`. */
export const duration: z.ZodType<number> = textOf('a time such as 30s, 10m, 2h or 7d', (text) => {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)$/.exec(text) ?? [];
  const factor = UNITS_MS[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
});

/** Bytes of `500MB`, `2GB`. */
export const size: z.ZodType<number> = textOf('a size such as 500MB or 2GB', (text) => {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kKMGT]?B)$/.exec(text) ?? [];
  const factor = UNITS_BYTES[unit];
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
});

/** A share between 0 and 1, also as `80%`. */
export const share: z.ZodType<number> = textOf('a share such as 80% or 0.8', (text) => {
  const [, amount, percent] = /^(\d+(?:\.\d+)?)\s*(%)?$/.exec(text) ?? [];
  if (amount === undefined) return undefined;
  const value = percent === undefined ? Number(amount) : Number(amount) / 100;
  return value > 0 && value <= 1 ? value : undefined;
});

const portRange: z.ZodType<readonly [number, number]> = textOf(
  'a port such as 443, or a range such as 8000-8100',
  (text) => {
    const [, first, last = first] = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(text) ?? [];
    const [from, to] = [Number(first), Number(last)];
    return first !== undefined && from >= 1 && to <= 65535 && from <= to ? ([from, to] as const) : undefined;
  },
);

/** Ports and ranges of ports. */
export const ports: z.ZodType<PortRanges> = z.array(portRange, { error: 'must be a list of ports' });

/** Whether a port is in one of the ranges. */
export function includesPort(ranges: PortRanges, port: number): boolean {
  return ranges.some(([from, to]) => port >= from && port <= to);
}

/** A network as `192.0.2.0/24` or `2001:db8::/32`; an address alone is one host. */
export const network: z.ZodType<string> = textOf('a network such as 192.0.2.0/24 or 2001:db8::/32', (text) => {
  const [address = '', length, ...more] = text.split('/');
  const bytes = parseAddress(address);
  if (bytes === undefined || more.length > 0) return undefined;
  const bits = length === undefined ? bytes.length * 8 : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return bits >= 0 && bits <= bytes.length * 8 ? `${address}/${bits}` : undefined;
});

/** `127.0.0.1:7321`, `[::1]:7321`, `:7321`. */
export const listenAddress: z.ZodType<string> = textOf('an address and a port such as 127.0.0.1:7321', (text) => {
  const [, v6, v4, port] = /^(?:\[([\da-f:.]+)\]|([\d.]*)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4;
  const known = address === '' || parseAddress(address ?? 'none') !== undefined;
  return known && port !== undefined && Number(port) <= 65535 ? text : undefined;
});

const timeOfDay: z.ZodType<number> = textOf('a time of the day such as 22:30', (text) => {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  const value = Number(hours) * 60 + Number(minutes);
  return hours !== undefined && Number(minutes) < 60 && value <= 24 * 60 ? value : undefined;
});

/** Days, and two times of the day. */
export const timeWindow: z.ZodType<TimeWindow> = z
  .strictObject({
    days: z.array(z.enum(DAYS, { error: `must be one of ${DAYS.join(', ')}` })).default([...DAYS]),
    from: timeOfDay,
    to: timeOfDay,
  })
  .transform(({ days, from, to }) => ({
    days: days.map((day) => DAYS.indexOf(day)),
    fromMinute: from,
    toMinute: to,
  })) as unknown as z.ZodType<TimeWindow>;
