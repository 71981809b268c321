import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Incident } from '../../model/incident.ts';
import { at, closed, HTTPS, sampleIncident } from '../history/testing/incidents.ts';
import { FakeWatch } from '../http/testing/fake-watch.ts';
import type { AlertConfig } from '../watch/config-types.ts';
import { AlertQueue } from './alert-queue.ts';
import { Alerts } from './alerts.ts';
import { makeReceiver } from './receiver.ts';
import { AlertError } from './send-http.ts';
import { syslogMessage } from './syslog.ts';
import { type AlertSubject, parseTemplate } from './template.ts';
import { httpReceiver, streamReceiver, udpReceiver } from './testing/receivers.ts';

const BASE = { when: {}, maxPerHour: 1000, timeoutMs: 20_000 };
const SUBJECT: AlertSubject = { event: 'opened', incident: sampleIncident(7), hostname: 'web7' };

function webhook(url: string, more: Partial<AlertConfig & { kind: 'webhook' }> = {}): AlertConfig {
  return { kind: 'webhook', url, method: 'POST', headers: {}, ...BASE, ...more };
}

describe('a template', () => {
  it('fills in what it names', () => {
    const text = parseTemplate(
      '[{{event}}] {{ service }}: {{ cause }} {{attempts}}× on {{hostname}} since {{firstAt}}, {{ networks }}',
    );
    expect(text.render(SUBJECT)).toBe(
      '[opened] nginx on port 443: no-return-route 4× on web7 since 2026-11-20T14:07:00.000000007Z, 2001:db8:1::/48, 192.0.2.0/24',
    );
  });

  it('makes JSON and URLs of hostile values', () => {
    const json = parseTemplate('{"text": "{{ sentence | json }}", "all": {{ json }}}').render(SUBJECT);
    expect(JSON.parse(json)).toMatchObject({
      text: SUBJECT.incident.sentence,
      all: { incident: { id: 7 }, event: 'opened' },
    });
    const url = parseTemplate('https://x/?q={{ sentence | url }}').render(SUBJECT);
    expect(new URL(url).searchParams.get('q')).toBe(SUBJECT.incident.sentence);
  });

  it('evaluates nothing, also not what values hold', () => {
    const sentence = ['{{ hostname }} $', '{1+1} $(id)'].join('');
    const incident = sampleIncident(1, { sentence });
    expect(parseTemplate('{{ sentence }}').render({ ...SUBJECT, incident })).toBe(sentence);
  });

  it.each([
    '{{ nothing }}',
    '{{ constructor }}',
    '{{ __proto__ }}',
    '{{ sentence | shell }}',
    '{{ sentence | json | url }}',
    '{{ }}',
  ])('refuses %s', (text) => expect(() => parseTemplate(text)).toThrow(/The template of an alert holds/));
});

describe('a webhook', () => {
  it('gets the incident as JSON, signed', async () => {
    const hook = await httpReceiver(200);
    await makeReceiver(webhook(hook.to, { secret: 'shared secret', headers: { 'x-team': 'net' } }), '0.1.0')(SUBJECT);
    const [request] = hook.received;
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-team': 'net',
      'user-agent': 'synscope',
    });
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      schemaVersion: 1,
      event: 'opened',
      hostname: 'web7',
      incident: { id: 7 },
    });
    const time = request?.headers['x-synscope-timestamp'];
    const expected = createHmac('sha256', 'shared secret').update(`${time}.${request?.body}`).digest('hex');
    expect(request?.headers['x-synscope-signature']).toBe(`sha256=${expected}`);
    hook.close();
  });

  it('gets what its template says, with its method', async () => {
    const hook = await httpReceiver(204);
    await makeReceiver(webhook(hook.to, { method: 'PUT', template: '{"text":"{{title|json}}"}' }), '0.1.0')(SUBJECT);
    expect(hook.received[0]).toMatchObject({
      method: 'PUT',
      body: '{"text":"The server has no route back to the client"}',
    });
    hook.close();
  });

  it.each([
    [500, true],
    [429, true],
    [404, false],
    [302, false],
  ])('that answers %i may work later: %s', async (status, isTemporary) => {
    const hook = await httpReceiver(status);
    await expect(makeReceiver(webhook(hook.to), '0.1.0')(SUBJECT)).rejects.toMatchObject({
      isTemporary,
      message: `it answered ${status}`,
    });
    expect(hook.received).toHaveLength(1);
    hook.close();
  });

  it('that does not answer is given up after the timeout', async () => {
    const hook = await httpReceiver(0);
    await expect(makeReceiver(webhook(hook.to, { timeoutMs: 50 }), '0.1.0')(SUBJECT)).rejects.toMatchObject({
      isTemporary: true,
      message: 'no answer: it took too long',
    });
    hook.close();
    await expect(makeReceiver(webhook(hook.to), '0.1.0')(SUBJECT)).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a command', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-alert-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const command = (argv: readonly string[], more: Partial<AlertConfig & { kind: 'command' }> = {}): AlertConfig => ({
    kind: 'command',
    command: argv,
    ...BASE,
    ...more,
  });

  it('gets the incident on its standard input, and its arguments as they are', async () => {
    const script = join(folder, 'alert.sh');
    writeFileSync(script, '#!/bin/sh\ncat > "$1"\nprintf %s "$2" > "$1.arg"\nenv > "$1.env"\n', { mode: 0o755 });
    process.env.SYNSCOPE_TEST_SECRET = 'x';
    const target = join(folder, 'out; touch pwned');
    await makeReceiver(command([script, target, '$(id) `id` {{sentence}}']), '0.1.0')(SUBJECT);
    delete process.env.SYNSCOPE_TEST_SECRET;
    expect(JSON.parse(readFileSync(target, 'utf8'))).toMatchObject({ event: 'opened', incident: { id: 7 } });
    expect(readFileSync(`${target}.arg`, 'utf8')).toBe('$(id) `id` {{sentence}}');
    expect(readFileSync(`${target}.env`, 'utf8')).not.toContain('SYNSCOPE_TEST_SECRET');
  });

  it('need not read its input', async () => {
    const incident = sampleIncident(7, { sentence: 'x'.repeat(500_000) });
    await makeReceiver(command(['/bin/true']), '0.1.0')({ ...SUBJECT, incident });
  });

  it('that fails is told with its last words', async () => {
    const fails = makeReceiver(command(['/bin/sh', '-c', 'echo first >&2; echo no pager >&2; exit 3']), '0.1.0');
    await expect(fails(SUBJECT)).rejects.toMatchObject({
      message: '/bin/sh ended with 3 (no pager)',
      isTemporary: true,
    });
    await expect(makeReceiver(command(['/no/such/program']), '0.1.0')(SUBJECT)).rejects.toMatchObject({
      message: expect.stringContaining('/no/such/program cannot be started'),
      isTemporary: false,
    });
  });

  it('that hangs is ended with its children', async () => {
    const marker = join(folder, 'child');
    const hangs = makeReceiver(
      command(['/bin/sh', '-c', `sleep 600 & echo $! > ${marker}; wait`], { timeoutMs: 1500 }),
      '0.1.0',
    );
    await expect(hangs(SUBJECT)).rejects.toThrow('took more than 1500 ms');
    const pid = Number(readFileSync(marker, 'utf8'));
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 20_000 });
  });
});

/** Whether a process runs; one that nobody has buried yet does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('syslog', () => {
  const syslog = (to: string): AlertConfig => ({ kind: 'syslog', to, facility: 'daemon', ...BASE });
  const FORM =
    /^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z web7 synscope \d+ incident-opened \[incident@32473 id="7" event="opened" kind="failure" cause="no-return-route" port="443" attempts="4"\] (.*)$/s;

  it('is RFC 5424', () => {
    const [, priority, text] = FORM.exec(syslogMessage(SUBJECT, 'a\nb', 3, at(0))) ?? [];
    // daemon.err
    expect({ priority, text }).toEqual({ priority: '27', text: 'a\\nb' });
    const hostile = {
      ...SUBJECT,
      hostname: 'a b\n',
      incident: sampleIncident(1, { cause: { id: 'x"]\\', status: 'likely', title: '' } }),
    };
    const message = syslogMessage(hostile, '', 16, at(0));
    expect(message).toContain('cause="x\\"\\]\\\\"');
    expect(message).toMatch(/^<131>1 \S+ ab synscope /);
    expect(Buffer.byteLength(syslogMessage(SUBJECT, 'ü'.repeat(5000), 3, at(0)))).toBeLessThanOrEqual(2048);
    expect(syslogMessage({ ...SUBJECT, event: 'closed' }, '', 3, at(0))).toMatch(/^<29>/);
  });

  it.each(['127.0.0.1', '::1'] as const)('goes over UDP to %s', async (address) => {
    const receiver = await udpReceiver(address);
    await makeReceiver(syslog(receiver.to), '0.1.0')(SUBJECT);
    await vi.waitFor(() => expect(receiver.received[0]).toMatch(FORM), { timeout: 20_000 });
    receiver.close();
  });

  it('goes over TCP, with its length before it', async () => {
    const receiver = await streamReceiver();
    await makeReceiver(syslog(receiver.to), '0.1.0')(SUBJECT);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 20_000 });
    const [, length, message = ''] = /^(\d+) (.*)$/s.exec(receiver.received[0] ?? '') ?? [];
    expect(Number(length)).toBe(Buffer.byteLength(message));
    expect(message).toMatch(FORM);
    receiver.close();
    await expect(makeReceiver(syslog(receiver.to), '0.1.0')(SUBJECT)).rejects.toMatchObject({ isTemporary: true });
  });

  it('goes to a Unix socket, of either kind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-syslog-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const stream = await streamReceiver(join(folder, 'stream'));
    await makeReceiver(syslog(stream.to), '0.1.0')(SUBJECT);
    await vi.waitFor(() => expect(stream.received[0]?.trimEnd()).toMatch(FORM), { timeout: 20_000 });
    stream.close();
    // A datagram socket, as /dev/log is: Node has none, Python may.
    const path = join(folder, 'log');
    const program =
      'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("ready",flush=True)\nsys.stdout.buffer.write(s.recv(9999))';
    const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const started = await Promise.race([
      once(child, 'error').then(() => false),
      once(child.stdout, 'data').then(() => true),
    ]);
    if (started) {
      let said = '';
      child.stdout.on('data', (text) => {
        said += text;
      });
      await makeReceiver(syslog(`unix:${path}`), '0.1.0')(SUBJECT);
      await once(child, 'close');
      expect(said.trim()).toMatch(FORM);
    }
    await expect(makeReceiver(syslog(`unix:${join(folder, 'none')}`), '0.1.0')(SUBJECT)).rejects.toThrow(
      /could not be sent/,
    );
  });

  it('knows its facilities', () => {
    expect(() => makeReceiver({ ...syslog('unix:/dev/log'), facility: 'weird' } as AlertConfig, '0.1.0')).toThrow(
      'There is no syslog facility "weird".',
    );
  });
});

it('OTLP gets a record in the JSON form of its protocol', async () => {
  const hook = await httpReceiver(200);
  const config: AlertConfig = { kind: 'otlp', url: hook.to, headers: { 'x-key': 'k' }, ...BASE };
  await makeReceiver(config, '0.1.0')({ ...SUBJECT, event: 'closed', incident: closed(SUBJECT.incident) });
  const [request] = hook.received;
  expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'x-key': 'k' });
  const body = JSON.parse(request?.body ?? '');
  const [{ resource, scopeLogs }] = body.resourceLogs;
  expect(resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'synscope' } });
  const [record] = scopeLogs[0].logRecords;
  expect(record).toMatchObject({
    timeUnixNano: String(closed(SUBJECT.incident).closedNs),
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: SUBJECT.incident.sentence },
    eventName: 'synscope.incident.closed',
  });
  expect(record.observedTimeUnixNano).toMatch(/^\d{19}$/);
  expect(record.attributes).toContainEqual({ key: 'server.port', value: { intValue: '443' } });
  expect(record.attributes).toContainEqual({ key: 'synscope.incident.id', value: { intValue: '7' } });
  expect(record.attributes.map(({ key }: { key: string }) => key)).not.toContain('server.address');
  hook.close();
});

describe('a queue', () => {
  const subject = (
    id: number,
    event: AlertSubject['event'] = 'opened',
    change: Partial<Incident> = {},
  ): AlertSubject => ({
    event,
    incident: sampleIncident(id, change),
    hostname: 'web7',
  });

  it('tries again, with longer and longer waits, in order', async () => {
    const waits: number[] = [];
    const sent: number[] = [];
    let failures = 3;
    const queue = new AlertQueue({
      receiver: ({ incident }) => {
        if (failures-- > 0) return Promise.reject(new AlertError('down', true, failures === 1 ? 7 : undefined));
        sent.push(incident.id);
        return Promise.resolve();
      },
      maxPerHour: 10,
      onTrouble: () => undefined,
      wait: (ms) => Promise.resolve(void waits.push(ms)),
    });
    queue.add(subject(1));
    queue.add(subject(2));
    await queue.close(20_000);
    expect({ waits, sent }).toEqual({ waits: [1000, 7, 16_000], sent: [1, 2] });
    expect(queue.numbers()).toEqual({ queued: 0, sent: 2, failed: 0, dropped: 0 });
  });

  it('gives up after five tries, or at once when that cannot help', async () => {
    const said: string[] = [];
    let tries = 0;
    const queue = new AlertQueue({
      receiver: ({ incident }) => {
        tries += 1;
        return Promise.reject(new AlertError('no', incident.id === 1));
      },
      maxPerHour: 10,
      onTrouble: (message) => said.push(message),
      wait: () => Promise.resolve(),
    });
    queue.add(subject(1));
    queue.add(subject(2));
    await queue.close(20_000);
    expect(tries).toBe(6);
    expect(said).toEqual(['incident 1 could not be told: no (tried 5 times)', 'incident 2 could not be told: no']);
    expect(queue.numbers().failed).toBe(2);
  });

  it('is bounded, and keeps the newest state of an incident', async () => {
    const sent: [number, number][] = [];
    let release: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    let nowMs = 0;
    const queue = new AlertQueue({
      receiver: async ({ incident }) => {
        await blocked;
        sent.push([incident.id, incident.attempts]);
      },
      maxPerHour: 150,
      onTrouble: () => undefined,
      now: () => nowMs,
    });
    queue.add(subject(0));
    await Promise.resolve();
    await Promise.resolve();
    for (let id = 1; id <= 120; id += 1) queue.add(subject(id));
    queue.add(subject(120, 'opened', { attempts: 99 }));
    expect(queue.numbers()).toMatchObject({ queued: 100, dropped: 20 });
    for (let id = 200; id < 260; id += 1) queue.add(subject(id));
    // 150 in this hour; the next hour is another one.
    const before = queue.numbers().dropped;
    queue.add(subject(500));
    expect(queue.numbers().dropped).toBe(before + 1);
    nowMs = 3_600_000;
    queue.add(subject(501));
    release();
    await queue.close(20_000);
    expect(sent.at(-1)?.[0]).toBe(501);
    expect(sent).toContainEqual([120, 99]);
    expect(sent.map(([id]) => id)).not.toContain(500);
  });

  it('ends when it is told to, whatever hangs', async () => {
    const queue = new AlertQueue({
      receiver: () => new Promise(() => undefined),
      maxPerHour: 9,
      onTrouble: () => undefined,
    });
    queue.add(subject(1));
    await queue.close(10);
    queue.add(subject(2));
    expect(queue.numbers().queued).toBe(0);
  });
});

describe('the alerts of a watch', () => {
  it('tell what opens, changes and closes, once, to those who want it', async () => {
    const hook = await httpReceiver(200);
    const other = await httpReceiver(200);
    const view = new FakeWatch();
    view.open = [sampleIncident(1)];
    const alerts = new Alerts(
      view,
      [
        webhook(hook.to, { template: '{{event}} {{id}} {{cause}}' }),
        webhook(other.to, {
          template: '{{event}} {{id}}',
          when: { ports: [[80, 90]], states: ['opened'], kinds: ['failure'] },
        }),
      ],
      () => undefined,
    );
    const emit = (incident: Incident) => view.emit({ type: 'incident', incident });
    emit(sampleIncident(1, { attempts: 99 }));
    emit(sampleIncident(2, { cause: null, service: { ...HTTPS, port: 85 } }));
    emit(sampleIncident(3, { kind: 'noise', service: { ...HTTPS, port: 85 } }));
    await vi.waitFor(() => expect(hook.received).toHaveLength(2), { timeout: 20_000 });
    emit(sampleIncident(2, { service: { ...HTTPS, port: 85 } }));
    emit(sampleIncident(2, { attempts: 1000, service: { ...HTTPS, port: 85 } }));
    emit(closed(sampleIncident(2)));
    emit(closed(sampleIncident(2)));
    await vi.waitFor(() => expect(hook.received).toHaveLength(4), { timeout: 20_000 });
    await alerts.close();
    expect(hook.received.map(({ body }) => body)).toEqual([
      'opened 2 unknown',
      'opened 3 no-return-route',
      'updated 2 no-return-route',
      'closed 2 no-return-route',
    ]);
    expect(other.received.map(({ body }) => body)).toEqual(['opened 2']);
    expect(alerts.numbers()).toEqual({
      queued: 0,
      totals: [
        { kind: 'webhook', outcome: 'sent', count: 5 },
        { kind: 'webhook', outcome: 'failed', count: 0 },
        { kind: 'webhook', outcome: 'dropped', count: 0 },
      ],
    });
    expect(view.subscribers).toBe(0);
    hook.close();
    other.close();
  });

  it('never keep the watch waiting', async () => {
    const hangs = await httpReceiver(0);
    const said: string[] = [];
    const view = new FakeWatch();
    const alerts = new Alerts(view, [webhook(hangs.to, { name: 'pager' })], (message) => said.push(message));
    // The event is told at once, whatever the receiver does.
    for (let id = 1; id <= 500; id += 1) view.emit({ type: 'incident', incident: sampleIncident(id) });
    expect(alerts.numbers().queued).toBeLessThanOrEqual(100);
    await alerts.close(10);
    expect(said[0]).toMatch(/^pager: 1 alerts were left out: too many alerts wait$/);
    hangs.close();
  });

  it('refuse a template that is wrong before the watch begins', () => {
    expect(
      () => new Alerts(new FakeWatch(), [webhook('http://127.0.0.1:1/', { template: '{{x}}' })], () => undefined),
    ).toThrow(/\{\{x\}\}/);
  });
});
