import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HistoryError } from '../history/history-error.ts';
import { at, closed, sampleCounts, sampleIncident } from '../history/testing/incidents.ts';
import { startHttp } from './server.ts';
import { Served } from './testing/serve.ts';

describe('the API', () => {
  let served: Served;
  beforeEach(async () => {
    served = new Served();
    await served.start();
    await served.store.saveIncident(closed(sampleIncident(1)));
    await served.store.saveIncident(sampleIncident(2));
    await served.store.addCounts([sampleCounts(0)]);
    served.watch.open = [sampleIncident(2)];
  });
  afterEach(() => served.stop());

  it('tells how the watch is', async () => {
    const { status, json, headers } = await served.ask('/api/v1/status');
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(json).toEqual({
      schemaVersion: 1,
      version: '0.1.0',
      hostname: 'web7',
      startedAt: '2026-11-20T14:00:00.000000000Z',
      nowAt: '2026-11-20T14:01:00.000000000Z',
      namespaces: ['local'],
      notSeen: [{ reason: 'the kernel', hint: 'be root' }],
      capture: { taken: 5, lost: 1, openAttempts: 2 },
      totals: { answered: 3, refused: 2, failed: 1 },
      openIncidents: 1,
      history: { kind: 'memory', notes: [] },
      session: { loginConfigured: false, loggedIn: false, mayRepair: true },
      repair: true,
    });
  });

  it('tells listeners and incidents', async () => {
    expect((await served.ask('/api/v1/listeners')).json.listeners[0]).toMatchObject({
      acceptQueue: { waiting: 3, limit: 10 },
    });
    const all = (await served.ask('/api/v1/incidents')).json;
    expect(all.incidents.map(({ id }: { id: number }) => id)).toEqual([2, 1]);
    expect(all.more).toBe(false);
    expect(all.incidents[0].samples).toBeUndefined();
    const some = (
      await served.ask('/api/v1/incidents?limit=1&state=closed&port=443&cause=no-return-route&since=2026-11-20')
    ).json;
    expect(some.incidents.map(({ id }: { id: number }) => id)).toEqual([1]);
    expect((await served.ask('/api/v1/incidents?limit=1')).json.more).toBe(true);
    const one = await served.ask('/api/v1/incidents/2');
    expect(one.json.incident).toMatchObject({
      id: 2,
      firstAt: '2026-11-20T14:02:00.000000007Z',
      samples: [{ sentence: 'sample of 2' }],
    });
    // Safe to print: what acts on a terminal or hides is escaped.
    expect(one.body).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
  });

  it('tells the time line', async () => {
    const { json } = await served.ask('/api/v1/timeline?from=2026-11-20T14:00:00Z&to=2026-11-20T14:01:00Z&step=30000');
    expect(json).toEqual({
      from: '2026-11-20T14:00:00.000000000Z',
      to: '2026-11-20T14:01:00.000000000Z',
      stepMs: 30_000,
      steps: [
        { at: '2026-11-20T14:00:00.000000000Z', answered: 10, refused: 1, failed: 2 },
        { at: '2026-11-20T14:00:30.000000000Z', answered: 0, refused: 0, failed: 0 },
      ],
    });
    expect((await served.ask('/api/v1/timeline?from=24h')).json).toMatchObject({ stepMs: 1_800_000 });
  });

  it('tells the catalogue, and finds', async () => {
    const causes = (await served.ask('/api/v1/causes')).json.causes;
    expect(causes.length).toBeGreaterThan(100);
    const { cause } = (await served.ask('/api/v1/causes/no-return-route')).json;
    expect(cause.explanation).toContain('route_req');
    expect(cause.remedies.flatMap(({ commands }: { commands: string[] }) => commands).join('\n')).toContain(
      'ip -6 route',
    );
    const found = (await served.ask('/api/v1/search?q=ListenDrops')).json;
    expect(found.words[0]).toMatchObject({ word: 'ListenDrops', kind: 'counter' });
    expect((await served.ask('/api/v1/search?q=%232')).json.incidents).toMatchObject([{ id: 2 }]);
    expect((await served.ask('/api/v1/search?q=return+route')).json.causes).toContainEqual(
      expect.objectContaining({ id: 'no-return-route' }),
    );
  }, 60_000);

  it('exports', async () => {
    const { headers, body } = await served.ask('/api/v1/export?format=jsonl&state=open');
    expect(headers).toMatchObject({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="synscope-incidents.jsonl"',
    });
    expect(
      body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual([2]);
    expect((await served.ask('/api/v1/export?format=csv')).body.split('\r\n')).toHaveLength(4);
  });

  it.each([
    ['/api/v1/incidents?limit=0', 400, 'limit takes a whole number from 1 to 1000'],
    ['/api/v1/incidents?since=soon', 400, 'since takes a time before now'],
    ['/api/v1/incidents?state=odd', 400, 'state is one of open, closed'],
    [`/api/v1/incidents?text=${'x'.repeat(201)}`, 400, 'text takes at most 200 characters'],
    ['/api/v1/timeline?from=2026-11-21&to=2026-11-20', 400, 'from must lie before to'],
    ['/api/v1/timeline?from=365d&step=1000', 400, 'more than 2000 steps'],
    ['/api/v1/export?format=xml', 400, 'format is one of'],
    ['/api/v1/incidents/77', 404, 'there is no incident 77'],
    ['/api/v1/incidents/x', 404, '"x" is no number of an incident'],
    ['/api/v1/causes/none', 404, 'there is no cause "none"'],
    ['/api/v1/none', 404, 'nothing under this address'],
    ['/none.js', 404, 'nothing under this address'],
    ['/../secret.txt', 404, 'nothing under this address'],
    ['/%2e%2e/secret.txt', 404, 'nothing under this address'],
    ['/assets/..%2f..%2fsecret.txt', 404, 'nothing under this address'],
  ])('says what is wrong with %s', async (path, status, message) => {
    const answer = await served.ask(path);
    expect(answer.status).toBe(status);
    expect(answer.json.error.message).toContain(message);
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
  });

  it('serves the files of the page', async () => {
    for (const path of ['/', '/incidents/2', '/index.html']) {
      const { status, body, headers } = await served.ask(path);
      expect({ path, status, body }).toEqual({ path, status: 200, body: '<!doctype html><title>page</title>' });
      expect(headers['cache-control']).toBe('no-cache');
    }
    const { headers, body } = await served.ask('/assets/index-3f9a2c81.js');
    expect(body).toBe('export {}');
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
    const again = await served.ask('/assets/index-3f9a2c81.js', {
      headers: { 'if-none-match': headers.etag as string },
    });
    expect(again.status).toBe(304);
  });

  it('tells metrics in both forms, and that it lives', async () => {
    const prometheus = await served.ask('/metrics');
    expect(prometheus.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(prometheus.body).toContain('synscope_incidents_open{kind="failure"} 1\n');
    const open = await served.ask('/metrics', { headers: { accept: 'application/openmetrics-text;version=1.0.0' } });
    expect(open.headers['content-type']).toContain('application/openmetrics-text');
    expect(open.body.endsWith('# EOF\n')).toBe(true);
    expect(open.body).toContain('# TYPE synscope_http_requests counter');
    expect((await served.ask('/healthz')).body).toBe('ok\n');
  });

  it('says that the history cannot be asked now', async () => {
    served.store.incidents = () => Promise.reject(new HistoryError('full', 'there is no room', 'make room'));
    const { status, json, headers } = await served.ask('/api/v1/incidents');
    expect(status).toBe(503);
    expect(json.error).toEqual({ code: 'history-unavailable', message: 'there is no room', hint: 'make room' });
    expect(headers['retry-after']).toBe('10');
  });

  it('speaks the same on the control socket, which only its user may open', async () => {
    expect(statSync(served.socket).mode & 0o777).toBe(0o600);
    const { json } = await served.ask('/api/v1/incidents', { socketPath: served.socket });
    expect(json.incidents).toHaveLength(2);
    // A second watch must not take its place.
    const parts = { view: served.watch, store: served.store, stateFolder: served.folder, dist: '' };
    const { Metrics } = await import('../metrics/metrics.ts');
    const metrics = new Metrics({ ...parts, services: 1 });
    await expect(startHttp({ ...parts, metrics, controlSocket: served.socket })).rejects.toThrow(
      /Another synscope watch listens/,
    );
    await expect(startHttp({ ...parts, metrics, page: { listen: `127.0.0.1:${served.url.port}` } })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1 port \d+: /,
    );
    expect((await served.ask('/api/v1/status', { socketPath: served.socket })).status).toBe(200);
  });

  it('repairs what was shown, once', async () => {
    const { json } = await served.post('/api/v1/incidents/2/repair/preview');
    expect(json.plan).toMatchObject({ remedyId: 'add-route', steps: [{ undo: ['ip route del default'] }] });
    expect(json.plan.planId).toBeUndefined();
    const done = await served.post('/api/v1/incidents/2/repair', { confirm: json.confirm.token });
    expect(done.json.repair).toMatchObject({
      at: at(1) && '2026-11-20T14:00:01.000000000Z',
      by: 'person',
      outcome: 'verified',
    });
    expect(served.repairer.applied).toEqual(['2 add-route first']);
    const again = await served.post('/api/v1/incidents/2/repair', { confirm: json.confirm.token });
    expect(again).toMatchObject({ status: 409, json: { error: { code: 'confirm-unknown' } } });
    expect(served.repairer.applied).toHaveLength(1);
  });

  it('repairs nothing else than was shown', async () => {
    const preview = async () => (await served.post('/api/v1/incidents/2/repair/preview')).json.confirm.token as string;
    served.watch.open = [sampleIncident(2), sampleIncident(3)];
    const elsewhere = await served.post('/api/v1/incidents/3/repair', { confirm: await preview() });
    expect(elsewhere.json.error.code).toBe('confirm-unknown');
    const token = await preview();
    const fromSocket = await served.post('/api/v1/incidents/2/repair', { confirm: token }, {}, served.socket);
    expect(fromSocket.json.error.code).toBe('confirm-unknown');
    served.repairer.planId = 'second';
    const changed = await served.post('/api/v1/incidents/2/repair', { confirm: token });
    expect(changed).toMatchObject({
      status: 409,
      json: { error: { code: 'plan-changed', message: 'a route is there by now' } },
    });
    served.repairer.refused = 'the device is gone';
    const refused = await served.post('/api/v1/incidents/2/repair/preview');
    expect(refused.json.plan.refused).toBe('the device is gone');
    expect(refused.json.confirm).toBeUndefined();
    expect((await served.post('/api/v1/incidents/2/repair/preview', { remedyId: 'other' })).status).toBe(404);
    expect((await served.post('/api/v1/incidents/1/repair/preview')).json.error.code).toBe('repair-refused');
    expect((await served.post('/api/v1/incidents/9/repair/preview')).status).toBe(404);
    expect((await served.post('/api/v1/incidents/2/repair', {})).status).toBe(400);
    expect((await served.post('/api/v1/incidents/2/repair', { confirm: 'x'.repeat(17_000) })).status).toBe(413);
    expect(served.repairer.applied).toEqual([]);
  });

  it('makes a token that only its user can read', async () => {
    const path = join(served.folder, 'page-token');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8').trim().length).toBeGreaterThan(40);
  });
});

it('has no metrics when they are switched off', async () => {
  const served = new Served();
  await served.start({}, false);
  try {
    expect(await served.ask('/metrics')).toMatchObject({ status: 404 });
    expect((await served.ask('/healthz')).status).toBe(200);
  } finally {
    await served.stop();
  }
});
