import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleIncident } from '../history/testing/incidents.ts';
import { ConfirmTokens } from './confirm-tokens.ts';
import { Sessions } from './session.ts';
import { Served } from './testing/serve.ts';

const TOKEN = 'correct horse battery staple';

describe('a page on loopback', () => {
  let served: Served;
  beforeEach(async () => {
    served = new Served();
    await served.start({ names: ['Web7.Example'] });
    served.watch.open = [sampleIncident(2)];
  });
  afterEach(() => served.stop());

  it.each([
    ['127.0.0.1', 200],
    ['127.0.0.1:7321', 200],
    ['[::1]:7321', 200],
    ['localhost:1', 200],
    ['LOCALHOST.', 200],
    ['web7.example:80', 200],
    ['192.0.2.7', 200],
    ['evil.example', 421],
    ['localhost.evil.example', 421],
    ['web7.example.evil', 421],
    ['127.0.0.1.evil.example', 421],
    ['a@localhost', 400],
  ])('answers to its own names only: Host %j gives %i', async (host, status) => {
    for (const path of ['/api/v1/status', '/', '/metrics', '/healthz', '/login']) {
      expect({ path, status: (await served.ask(path, { headers: { host } })).status }).toEqual({ path, status });
    }
  });

  it('answers no other site', async () => {
    const host = served.url.host;
    const ask = (path: string, headers: Record<string, string>, method = 'GET') =>
      served.ask(path, { headers, method });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
    ]) {
      expect((await ask('/api/v1/status', headers)).json.error.code).toBe('cross-site');
      expect((await ask('/metrics', headers)).status).toBe(403);
      expect((await ask('/api/v1/incidents/2/repair/preview', { ...headers, 'x-synscope': '1' }, 'POST')).status).toBe(
        403,
      );
      expect((await ask('/login', headers, 'POST')).status).toBe(403);
    }
    // A link from elsewhere to the page is no attack.
    expect((await ask('/', { 'sec-fetch-site': 'cross-site' })).status).toBe(200);
    expect(
      (await ask('/api/v1/status', { origin: `http://${host}`, 'sec-fetch-site': 'same-origin', host })).status,
    ).toBe(200);
    const bare = await ask('/api/v1/incidents/2/repair/preview', { origin: `http://${host}`, host }, 'POST');
    expect(bare.json.error.message).toContain('X-Synscope');
    const { headers } = await ask('/api/v1/status', {});
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect((await served.ask('/api/v1/status', { method: 'OPTIONS' })).status).not.toBe(200);
  });

  it('lets root and its own user repair without a login, and nobody else', async () => {
    expect((await served.post('/api/v1/incidents/2/repair/preview')).status).toBe(200);
    if (process.getuid?.() !== 0) return;
    // As nobody: the same request from a process of another user.
    const program = `fetch(${JSON.stringify(`${served.service.url}api/v1/incidents/2/repair/preview`)}, { method: 'POST', headers: { 'x-synscope': '1' } }).then((r) => r.text()).then(console.log)`;
    const child = spawn('setpriv', [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '-e',
      program,
    ]);
    let said = '';
    for await (const part of child.stdout) said += part;
    expect(JSON.parse(said).error).toMatchObject({ code: 'repair-needs-login' });
    expect(served.repairer.applied).toEqual([]);
  });

  it('lets whoever has the token of the state folder repair', async () => {
    const token = readFileSync(join(served.folder, 'page-token'), 'utf8').trim();
    const { status, headers } = await served.post('/login', { token });
    expect(status).toBe(200);
    const [cookie = ''] = headers['set-cookie'] ?? [];
    const session = (await served.ask('/api/v1/status', { headers: { cookie: cookie.split(';')[0] as string } })).json
      .session;
    expect(session).toEqual({ loginConfigured: false, loggedIn: true, mayRepair: true });
  });
});

describe('a page with a token', () => {
  let served: Served;
  beforeEach(async () => {
    served = new Served();
    await served.start({ token: TOKEN });
  });
  afterEach(() => served.stop());

  const form = (next: string, token = TOKEN) => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token, next }).toString(),
  });

  it('tells nothing without a login', async () => {
    for (const path of ['/api/v1/status', '/api/v1/events', '/metrics', '/api/v1/none', '/api/v1/export']) {
      const { status, headers } = await served.ask(path);
      expect({ path, status }).toEqual({ path, status: 401 });
      expect(headers['www-authenticate']).toContain('Bearer');
    }
    expect((await served.post('/api/v1/incidents/2/repair/preview')).status).toBe(401);
    expect((await served.ask('//api/v1/status')).body).toBe('<!doctype html><title>page</title>');
    for (const path of ['/', '/healthz', '/assets/index-3f9a2c81.js', '/login'])
      expect((await served.ask(path)).status).toBe(200);
    // The control socket has its own guard.
    expect((await served.ask('/api/v1/status', { socketPath: served.socket })).status).toBe(200);
  });

  it('logs in with a form, and out', async () => {
    const { status, headers } = await served.ask('/login', form('/incidents/2'));
    expect({ status, location: headers.location }).toEqual({ status: 303, location: '/incidents/2' });
    const [set = ''] = headers['set-cookie'] ?? [];
    expect(set).toMatch(/^synscope_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    const cookie = set.split(';')[0] as string;
    expect((await served.ask('/api/v1/status', { headers: { cookie } })).json.session).toEqual({
      loginConfigured: true,
      loggedIn: true,
      mayRepair: true,
    });
    expect((await served.ask('/logout', { method: 'POST', headers: { cookie } })).status).toBe(403);
    const out = await served.post('/logout', {}, { cookie });
    expect(out.headers['set-cookie']?.[0]).toContain('Max-Age=0');
    expect((await served.ask('/api/v1/status', { headers: { cookie } })).status).toBe(401);
  });

  it.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/a\r\nset-cookie: x=y',
    '',
  ])('leads nowhere else after the login: %j', async (next) => {
    const { headers } = await served.ask('/login', form(next));
    expect(headers.location).toBe('/');
    expect(headers['set-cookie']).toHaveLength(1);
  });

  it('takes the token in a header, for programs', async () => {
    expect(
      (await served.ask('/metrics', { headers: { authorization: `Bearer ${TOKEN.replaceAll(' ', '')}` } })).status,
    ).toBe(401);
    await served.stop();
    served = new Served();
    await served.start({ token: 'a-token-without-spaces' });
    expect((await served.ask('/metrics', { headers: { authorization: 'Bearer a-token-without-spaces' } })).status).toBe(
      200,
    );
  });

  it('slows down those who guess', async () => {
    for (let tries = 0; tries < 5; tries += 1) {
      const wrong = await served.ask('/login', form('/', 'wrong'));
      expect(wrong.status).toBe(401);
      expect(wrong.body).toContain('This is not the token.');
    }
    const right = await served.ask('/login', form('/'));
    expect(right).toMatchObject({ status: 429, json: { error: { code: 'too-many' } } });
    expect(right.headers['retry-after']).toBe('10');
    const bearer = await served.ask('/metrics', { headers: { authorization: 'Bearer wrong' } });
    expect(bearer.status).toBe(429);
  });
});

it('needs a login when it listens elsewhere than on loopback', async () => {
  const served = new Served();
  await served.start({ listen: '0.0.0.0:0' });
  expect(served.service.tokenFile).toBe(join(served.folder, 'page-token'));
  expect((await served.ask('/api/v1/status')).status).toBe(401);
  await served.stop();
});

describe('sessions', () => {
  it('end 12 hours after their last use, and are bounded', () => {
    let nowMs = 0;
    const sessions = new Sessions('t', () => nowMs);
    const first = sessions.login('t', 'a') as string;
    nowMs += 11 * 3_600_000;
    expect(sessions.use(first)).toBe(true);
    nowMs += 11 * 3_600_000;
    expect(sessions.use(first)).toBe(true);
    nowMs += 12 * 3_600_000 + 1;
    expect(sessions.use(first)).toBe(false);
    const second = sessions.login('t', 'a') as string;
    for (let count = 0; count < 100; count += 1) sessions.login('t', 'a');
    expect(sessions.use(second)).toBe(false);
  });

  it('let an address try again after a while, and others meanwhile', () => {
    let nowMs = 0;
    const sessions = new Sessions('t', () => nowMs);
    for (let tries = 0; tries < 5; tries += 1) expect(sessions.login('x', 'a')).toBeUndefined();
    expect(() => sessions.login('t', 'a')).toThrow('too many');
    expect(sessions.login('t', 'b')).toBeDefined();
    nowMs += 10_000;
    expect(sessions.login('t', 'a')).toBeDefined();
    for (let tries = 0; tries < 46; tries += 1) sessions.login('x', `address ${tries}`);
    expect(() => sessions.login('t', 'new')).toThrow('too many');
  });
});

it('lets a confirmation expire', () => {
  let nowMs = 0;
  const tokens = new ConfirmTokens(() => nowMs);
  const plan = { incidentId: 1, remedyId: 'r', planId: 'p' };
  const { token } = tokens.issue(plan, 'me');
  expect(() => tokens.redeem(token, 1, 'you')).toThrow('not known');
  nowMs += 300_001;
  expect(() => tokens.redeem(token, 1, 'me')).toThrow('older than five minutes');
  const fresh = tokens.issue(plan, 'me');
  expect(tokens.redeem(fresh.token, 1, 'me')).toMatchObject(plan);
  expect(() => tokens.redeem(fresh.token, 1, 'me')).toThrow('not known');
});
