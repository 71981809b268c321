import { InputError } from '../../model/errors.ts';
import { encodeJson } from '../../report/json.ts';
import type { AlertConfig } from '../watch/config-types.ts';
import { otlpLogs } from './otlp.ts';
import { runAlertCommand } from './run-command.ts';
import { sendHttp, signatureHeaders } from './send-http.ts';
import { facilityNumber, sendSyslog, syslogMessage } from './syslog.ts';
import { type AlertSubject, alertValue, parseTemplate, type Template } from './template.ts';

/** Tells one receiver of one event. */
export type Receiver = (subject: AlertSubject) => Promise<void>;

const DEFAULT_TEXT =
  '{{ event }}: {{ sentence }} ({{ service }}, {{ attempts }} attempts of {{ clients }} clients, incident {{ id }} on {{ hostname }})';

/**
 * Makes the receiver that a configuration describes.
 * @throws InputError when its template or facility cannot be used
 */
export function makeReceiver(config: AlertConfig, version: string): Receiver {
  const text = parseTemplate(config.template ?? DEFAULT_TEXT);
  const { timeoutMs } = config;
  const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
  switch (config.kind) {
    case 'webhook':
      return webhook(config, config.template === undefined ? undefined : text);
    case 'command':
      return (subject) => {
        const input = config.template === undefined ? `${encodeJson(alertValue(subject))}\n` : text.render(subject);
        return runAlertCommand(config.command, input, timeoutMs);
      };
    case 'syslog': {
      const facility = facilityNumber(config.facility);
      if (facility === undefined) {
        throw new InputError({ code: 'bad-facility', message: `There is no syslog facility "${config.facility}".` });
      }
      return (subject) =>
        sendSyslog(config.to, syslogMessage(subject, text.render(subject), facility, now()), timeoutMs);
    }
    case 'otlp': {
      const sentence = config.template === undefined ? parseTemplate('{{ sentence }}') : text;
      return (subject) =>
        sendHttp({
          url: config.url,
          method: 'POST',
          headers: { 'content-type': 'application/json', ...config.headers },
          body: encodeJson(otlpLogs(subject, sentence.render(subject), version, now())),
          timeoutMs,
        });
    }
  }
}

function webhook(config: AlertConfig & { readonly kind: 'webhook' }, template: Template | undefined): Receiver {
  const { url, method, headers, secret, timeoutMs } = config;
  return (subject) => {
    const body = template === undefined ? encodeJson(alertValue(subject)) : template.render(subject);
    const signature = secret === undefined ? {} : signatureHeaders(secret, body, Date.now());
    return sendHttp({
      url,
      method,
      headers: { 'content-type': 'application/json', 'user-agent': 'synscope', ...headers, ...signature },
      body,
      timeoutMs,
    });
  };
}
