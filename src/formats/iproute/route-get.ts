import { type IpRecord, number, parseIpJson, present, record, text } from './ip-json.ts';
import type { IpRouteType } from './routes.ts';

/** Errors of a route lookup that tell apart why, as the kernel returns them. */
export type LookupErrno =
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EACCES'
  | 'EINVAL'
  | 'EXDEV'
  | 'EAGAIN'
  | 'ENODEV'
  | 'EPERM';

/** What `ip route get` answered. */
export type RouteAnswer =
  | {
      readonly kind: 'route';
      readonly type: IpRouteType;
      readonly device?: string;
      readonly gateway?: string;
      readonly source?: string;
      readonly table?: string;
      readonly metric?: number;
    }
  | { readonly kind: 'error'; readonly message: string; readonly errno?: LookupErrno }
  /** `ip` did not take the question: an option that it does not know yet. */
  | { readonly kind: 'not-asked'; readonly message: string };

const ERRORS: Readonly<Record<string, LookupErrno>> = {
  'Network is unreachable': 'ENETUNREACH',
  'No route to host': 'EHOSTUNREACH',
  'Permission denied': 'EACCES',
  'Invalid argument': 'EINVAL',
  'Invalid cross-device link': 'EXDEV',
  'Resource temporarily unavailable': 'EAGAIN',
  'No such device': 'ENODEV',
  'Operation not permitted': 'EPERM',
};

/** The kernel's message for an error, as `ip` prints it. */
export function messageOf(errno: LookupErrno): string {
  return Object.keys(ERRORS).find((message) => ERRORS[message] === errno) ?? errno;
}

/** Parses what `ip -j route get`, or `ip route get` without JSON, printed, and how it ended. */
export function parseRouteGet(result: {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}): RouteAnswer {
  const complaint = result.stderr.trim().split('\n').at(-1) ?? '';
  const refused = /^RTNETLINK answers: (.+)$/m.exec(result.stderr)?.[1]?.trim();
  if (refused !== undefined) return { kind: 'error', message: refused, ...present('errno', ERRORS[refused]) };
  if (/^Cannot find device "/m.test(result.stderr)) return { kind: 'error', message: complaint, errno: 'ENODEV' };
  if (result.exitCode !== 0) return { kind: 'not-asked', message: complaint || 'ip gave no answer' };
  const entry = parseIpJson(result.stdout)?.[0] ?? parseText(result.stdout);
  if (entry === undefined) return { kind: 'not-asked', message: 'ip gave no answer' };
  return {
    kind: 'route',
    type: (text(entry, 'type') ?? 'unicast') as IpRouteType,
    ...present('device', text(entry, 'dev')),
    ...present('gateway', text(entry, 'gateway') ?? text(record(entry, 'via'), 'host')),
    ...present('source', text(entry, 'prefsrc')),
    ...present('table', text(entry, 'table')),
    ...present('metric', number(entry, 'metric')),
  };
}

/** The first line of the text: `local 192.0.2.2 from 10.99.0.1 dev lo table local src 192.0.2.2 uid 0`. */
function parseText(output: string): IpRecord | undefined {
  const [line = ''] = output.split('\n');
  const match = /^(?:(unicast|local|broadcast|anycast|multicast) )?([\da-f.:]+) (.*)$/i.exec(line);
  if (match === null) return undefined;
  const word = (name: string): string | undefined =>
    new RegExp(`(?:^| )${name} (?:inet6? )?(\\S+)`).exec(match[3]!)?.[1];
  return {
    ...present('type', match[1]),
    ...present('dev', word('dev')),
    ...present('gateway', word('via')),
    ...present('prefsrc', word('src')),
    ...present('table', word('table')),
    ...present('metric', word('metric')),
  };
}
