import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import process from 'node:process';
import { sendUnixDatagram } from '../../host/unix-datagram.ts';
import type { Incident } from '../../model/incident.ts';
import { forTerminal } from '../../report/escape.ts';
import { formatTimestamp } from '../../report/format.ts';
import { AlertError } from './send-http.ts';
import type { AlertSubject } from './template.ts';

/** Facilities by number (RFC 5424 section 6.2.1). */
const FACILITIES: Readonly<Record<string, number>> = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7].map((number) => [`local${number}`, 16 + number])),
};

/** Every receiver must take so much (RFC 5424 section 6.1); more may be cut by it. */
const MAX_BYTES = 2048;

/** Number of a facility; undefined when there is none of that name. */
export function facilityNumber(name: string): number | undefined {
  return Object.hasOwn(FACILITIES, name) ? FACILITIES[name] : undefined;
}

/**
 * A message of RFC 5424:
 * `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD-ID PARAM="VALUE" ...] MSG`.
 */
export function syslogMessage(subject: AlertSubject, text: string, facility: number, nowNs: bigint): string {
  const { event, incident, hostname } = subject;
  const priority = facility * 8 + severity(incident, event);
  // Six digits are the most that RFC 5424 allows.
  const time = formatTimestamp(nowNs).replace(/\d{3}Z$/, 'Z');
  const data = [
    ['id', String(incident.id)],
    ['event', event],
    ['kind', incident.kind],
    ['cause', incident.cause?.id ?? 'unknown'],
    ['port', String(incident.service.port ?? '')],
    ['attempts', String(incident.attempts)],
  ]
    .map(([name, value]) => `${name}="${escapeParameter(value ?? '')}"`)
    .join(' ');
  const head = `<${priority}>1 ${time} ${printable(hostname, 255)} synscope ${process.pid} incident-${event}`;
  // 32473 is the enterprise number for examples and documentation (RFC 5612).
  return cutBytes(`${head} [incident@32473 ${data}] ${forTerminal(text)}`, MAX_BYTES);
}

/** Sends a message to `udp://host:port`, `tcp://host:port` (octet counting, RFC 6587) or `unix:/dev/log`. @throws AlertError */
export async function sendSyslog(to: string, message: string, timeoutMs: number): Promise<void> {
  if (to.startsWith('unix:')) return await sendUnix(to.slice('unix:'.length), message, timeoutMs);
  const { protocol, hostname, port } = new URL(to);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return protocol === 'udp:'
    ? await sendUdp(host, Number(port), message)
    : await sendStream({ host, port: Number(port) }, `${Buffer.byteLength(message)} ${message}`, timeoutMs);
}

function sendUdp(host: string, port: number, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (cause) => reject(undelivered(cause)));
    socket.send(message, port, host, (cause) => {
      socket.close();
      if (cause === null || cause === undefined) resolve();
      else reject(undelivered(cause));
    });
  });
}

function sendStream(
  target: { readonly host: string; readonly port: number } | { readonly path: string },
  bytes: string,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(target);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('it took too long')));
    socket.once('error', (cause) => reject(undelivered(cause)));
    socket.once('connect', () => socket.end(bytes, () => undefined));
    socket.resume();
    socket.once('close', (hadError) => {
      if (!hadError) resolve();
    });
  });
}

/** `/dev/log` is a datagram socket mostly; some daemons listen on a stream socket instead. */
async function sendUnix(path: string, message: string, timeoutMs: number): Promise<void> {
  try {
    sendUnixDatagram(path, Buffer.from(message));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPROTOTYPE') throw undelivered(error);
    await sendStream({ path }, `${message}\n`, timeoutMs);
  }
}

/** Severities of RFC 5424 section 6.2.1: 3 error, 4 warning, 5 notice. */
function severity({ kind }: Incident, event: AlertSubject['event']): number {
  if (event === 'closed') return 5;
  return kind === 'failure' ? 3 : 4;
}

/** A value inside quotes (RFC 5424 section 6.3.3). */
function escapeParameter(value: string): string {
  return forTerminal(value).replace(/["\\\]]/g, '\\$&');
}

/** Printable ASCII without spaces, as the header takes it. */
function printable(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]/g, '').slice(0, most) || '-';
}

function cutBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  // A character that was cut is left out.
  return bytes.length <= most
    ? text
    : bytes
        .subarray(0, most)
        .toString('utf8')
        .replace(/\ufffd+$/, '');
}

function undelivered(error: unknown): AlertError {
  return new AlertError(`it could not be sent: ${error instanceof Error ? error.message : error}`, true, undefined, {
    cause: error,
  });
}
