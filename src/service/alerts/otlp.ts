import { createHash } from 'node:crypto';
import type { JsonValue } from '../../report/json-values.ts';
import type { AlertSubject } from './template.ts';

/** SeverityNumber of the OpenTelemetry log data model: INFO, WARN, ERROR. */
const SEVERITIES = { closed: [9, 'INFO'], noise: [13, 'WARN'], warning: [13, 'WARN'], failure: [17, 'ERROR'] } as const;

/**
 * An `ExportLogsServiceRequest` with one record, as OTLP over HTTP spells it in JSON (opentelemetry-proto, logs/v1/logs.proto; 64-bit
 * integers are texts).
 */
export function otlpLogs(subject: AlertSubject, body: string, version: string, nowNs: bigint): JsonValue {
  const { event, incident, hostname } = subject;
  const { service, cause } = incident;
  const [severityNumber, severityText] = SEVERITIES[event === 'closed' ? 'closed' : incident.kind];
  const timeNs =
    event === 'opened' ? incident.firstNs : event === 'closed' ? (incident.closedNs ?? nowNs) : incident.lastNs;
  return {
    resourceLogs: [
      {
        resource: {
          attributes: attributes({
            'service.name': 'synscope',
            'service.version': version,
            'host.name': hostname,
          }),
        },
        scopeLogs: [
          {
            scope: { name: 'synscope.incidents', version },
            logRecords: [
              {
                timeUnixNano: String(timeNs),
                observedTimeUnixNano: String(nowNs),
                severityNumber,
                severityText,
                eventName: `synscope.incident.${event}`,
                body: { stringValue: body },
                attributes: attributes({
                  'event.name': `synscope.incident.${event}`,
                  'synscope.incident.id': incident.id,
                  'synscope.incident.key': incidentKey(subject),
                  'synscope.incident.event': event,
                  'synscope.incident.state': incident.state,
                  'synscope.incident.kind': incident.kind,
                  'synscope.incident.attempts': incident.attempts,
                  'synscope.incident.clients': incident.clients,
                  'synscope.cause.id': cause?.id,
                  'synscope.cause.status': cause?.status,
                  'synscope.handshake.outcome': incident.outcome,
                  'synscope.direction': service.direction,
                  'synscope.namespace': service.namespace,
                  'network.transport': 'tcp',
                  'server.address': service.address,
                  'server.port': service.port,
                  'process.executable.name': service.process,
                }),
              },
            ],
          },
        ],
      },
    ],
  };
}

/** Stays the same for all that is told of an incident, also across hosts: receivers join by it. */
function incidentKey({ incident, hostname }: AlertSubject): string {
  return createHash('sha256').update(`${hostname}\n${incident.id}\n${incident.firstNs}`).digest('hex').slice(0, 32);
}

/** KeyValue list of common/v1/common.proto; what is not known is left out. */
function attributes(values: Readonly<Record<string, string | number | undefined>>): JsonValue {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
}
