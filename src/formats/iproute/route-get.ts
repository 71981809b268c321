import { number, parseIpJson, present, record, text } from './ip-json.ts';
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

/** Parses what `ip -j route get` printed, and how it ended. */
export function parseRouteGet(result: {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}): RouteAnswer {
  const complaint = result.stderr.trim().split('\n').at(-1) ?? '';
  const refused = /^RTNETLINK answers: (.+)$/m.exec(result.stderr)?.[1]?.trim();
  if (refused !== undefined) return { kind: 'error', message: refused, ...present('errno', ERRORS[refused]) };
  const missing = /^Cannot find device "(.*)"$/m.exec(result.stderr);
  if (missing !== null) return { kind: 'error', message: complaint, errno: 'ENODEV' };
  const entry = result.exitCode === 0 ? parseIpJson(result.stdout)?.[0] : undefined;
  if (entry === undefined) return { kind: 'not-asked', message: complaint === '' ? 'ip gave no answer' : complaint };
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
