import { isIP } from 'node:net';
import { InputError } from '../../model/errors.ts';
import { formatEndpoint } from '../../model/flow.ts';
import type { Incident } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import { encodeJson } from '../../report/json.ts';
import type { JsonValue } from '../../report/json-values.ts';
import { incidentSummaryValue } from '../history/incident-json.ts';

/** What happened to an incident that is told. */
export type AlertEvent = 'opened' | 'updated' | 'closed';

/** What an alert is about. */
export interface AlertSubject {
  readonly event: AlertEvent;
  readonly incident: Incident;
  readonly hostname: string;
}

/** Names that a template may use. Longer texts are cut: what is told comes from anybody. */
const VALUES: Readonly<Record<string, (subject: AlertSubject) => string>> = {
  event: ({ event }) => event,
  hostname: ({ hostname }) => hostname,
  id: ({ incident }) => String(incident.id),
  state: ({ incident }) => incident.state,
  kind: ({ incident }) => incident.kind,
  sentence: ({ incident }) => incident.sentence,
  cause: ({ incident }) => incident.cause?.id ?? 'unknown',
  title: ({ incident }) => incident.cause?.title ?? 'no cause stands out',
  status: ({ incident }) => incident.cause?.status ?? 'undetermined',
  direction: ({ incident }) => incident.service.direction,
  namespace: ({ incident }) => incident.service.namespace,
  address: ({ incident }) => incident.service.address ?? '',
  port: ({ incident }) => String(incident.service.port ?? ''),
  process: ({ incident }) => incident.service.process ?? '',
  service: ({ incident }) => serviceText(incident),
  outcome: ({ incident }) => incident.outcome ?? '',
  attempts: ({ incident }) => String(incident.attempts),
  clients: ({ incident }) => String(incident.clients),
  networks: ({ incident }) => incident.clientNetworks.map(({ network }) => network).join(', '),
  firstAt: ({ incident }) => formatTimestamp(incident.firstNs),
  lastAt: ({ incident }) => formatTimestamp(incident.lastNs),
  closedBecause: ({ incident }) => incident.closedBecause ?? '',
  change: ({ incident }) => incident.changes.at(-1)?.text ?? '',
  json: (subject) => encodeJson(alertValue(subject)),
};

const MAX_VALUE = 8000;

/** A template that was read. */
export interface Template {
  render(subject: AlertSubject): string;
}

/**
 * Reads a template: text with `{{ name }}`, or `{{ name | json }}` for a value inside JSON and `{{ name | url }}` inside a URL; nothing
 * else is special, and nothing is evaluated.
 * @throws InputError when it names something that there is not
 */
export function parseTemplate(text: string): Template {
  const parts = text.split(/\{\{(.*?)\}\}/s).map((part, index): string | ((subject: AlertSubject) => string) => {
    if (index % 2 === 0) return part;
    const [name = '', filter = '', ...more] = part.split('|').map((word) => word.trim());
    const value = Object.hasOwn(VALUES, name) ? VALUES[name] : undefined;
    const change = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
    if (value === undefined) throw unusable(`{{${part}}}`, `names are ${Object.keys(VALUES).join(', ')}`);
    if (change === undefined || more.length > 0) throw unusable(`{{${part}}}`, 'behind | there is json or url');
    return (subject) => change(cut(value(subject), name));
  });
  return {
    render: (subject) => parts.map((part) => (typeof part === 'string' ? part : part(subject))).join(''),
  };
}

const FILTERS: Readonly<Record<string, (text: string) => string>> = {
  '': (text) => text,
  // Without the quotes around it: they stand in the template.
  json: (text) => encodeJson(text).slice(1, -1),
  url: encodeURIComponent,
};

/** An alert as JSON: what is told by default, and to commands. */
export function alertValue({ event, incident, hostname }: AlertSubject): JsonValue {
  return { schemaVersion: 1, event, hostname, incident: incidentSummaryValue(incident) };
}

/** A service in few words: `nginx on port 443`, `192.0.2.1:443 in netns:web`. */
function serviceText({ service: { address, port, process, namespace, direction } }: Incident): string {
  const where =
    port === undefined
      ? (address ?? '')
      : address === undefined || isIP(address) === 0
        ? `port ${port}`
        : formatEndpoint({ address, port });
  const who = process === undefined ? where : `${process} ${direction === 'inbound' ? 'on' : 'to'} ${where}`;
  return namespace === 'local' ? who : `${who} in ${namespace}`;
}

function cut(text: string, name: string): string {
  return name === 'json' || text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`;
}

function unusable(what: string, hint: string): InputError {
  return new InputError({
    code: 'bad-template',
    message: `The template of an alert holds ${what}, which is nothing`,
    hint,
  });
}
