import type { IncidentRow, Repair, Service } from '../api/types.ts';

/** A service in a few words: `nginx :443`, `192.0.2.1:443`, `[2001:db8::1]:22 in netns:web`. */
export function serviceName({ address, port, process, namespace, direction }: Service): string {
  const host = address === undefined ? '' : address.includes(':') ? `[${address}]` : address;
  const where = `${host}${port === undefined ? '' : `:${port}`}`;
  const what =
    [process, where].filter((part) => part !== undefined && part !== '').join(' ') ||
    (direction === 'outbound' ? 'every connection out' : 'every service');
  const arrow =
    direction === 'outbound' && where !== '' ? `→ ${where}${process === undefined ? '' : ` by ${process}`}` : what;
  return namespace === 'local' ? arrow : `${arrow} in ${namespace}`;
}

/** Names a service so that two of them can be told apart. */
export function serviceKey({ direction, namespace, address, port, process }: Service): string {
  return [direction, namespace, address, port, process].join('|');
}

/** Words for the state of an incident. */
export function stateWord({ state, kind }: Pick<IncidentRow, 'state' | 'kind'>): string {
  if (state === 'closed') return 'closed';
  return kind === 'warning' ? 'warning' : kind === 'noise' ? 'noise' : 'open';
}

/** Tone of an incident: red only for what fails now. */
export function toneOf({ state, kind }: Pick<IncidentRow, 'state' | 'kind'>): Tone {
  if (state === 'closed') return 'muted';
  return kind === 'failure' ? 'bad' : 'warn';
}

/** Meaning of a colour. */
export type Tone = 'bad' | 'warn' | 'good' | 'muted' | 'plain';

export const KIND_WORDS: Readonly<Record<IncidentRow['kind'], string>> = {
  failure: 'failure',
  noise: 'flood or scan',
  warning: 'early warning',
};

export const REPAIR_WORDS: Readonly<Record<Repair['outcome'], { readonly word: string; readonly tone: Tone }>> = {
  suggested: { word: 'suggested', tone: 'plain' },
  verified: { word: 'done and verified', tone: 'good' },
  'rolled-back': { word: 'rolled back', tone: 'warn' },
  failed: { word: 'failed', tone: 'bad' },
  'dry-run': { word: 'dry run', tone: 'plain' },
  'held-back': { word: 'held back', tone: 'warn' },
};

/** An identifier as words: `no-return-route` reads `no return route`. */
export function idWords(id: string): string {
  return id.replaceAll('-', ' ');
}
