import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../history/memory-store.ts';
import { closed, HTTPS, sampleCounts, sampleIncident } from '../history/testing/incidents.ts';
import { FakeWatch, LISTENER } from '../http/testing/fake-watch.ts';
import { writeExposition } from './exposition.ts';
import { Metrics } from './metrics.ts';
import { METRICS } from './registry.ts';

function setup(services = 3) {
  const view = new FakeWatch();
  const store = new MemoryStore();
  const metrics = new Metrics({
    view,
    store,
    services,
    alerts: () => ({ queued: 2, totals: [{ kind: 'webhook', outcome: 'sent', count: 5 }] }),
  });
  const value = (series: string): number | undefined => {
    const line = metrics
      .text('prometheus')
      .split('\n')
      .find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  return { view, store, metrics, value };
}

describe('the metrics', () => {
  it('count handshakes by port, the later ports together', () => {
    const { view, value, metrics } = setup(2);
    const counts = (port: number | undefined, direction: 'inbound' | 'outbound' = 'inbound') =>
      sampleCounts(0, { service: { direction, namespace: 'local', ...(port === undefined ? {} : { port }) } });
    view.emit({
      type: 'counts',
      counts: [counts(443), counts(443), counts(22), counts(80), counts(81), counts(undefined)],
    });
    view.emit({ type: 'counts', counts: [counts(443), counts(9, 'outbound')] });
    expect(value('synscope_handshakes_total{direction="inbound",service="443",outcome="answered"}')).toBe(30);
    expect(value('synscope_handshakes_total{direction="inbound",service="443",outcome="failed"}')).toBe(6);
    expect(value('synscope_handshakes_total{direction="inbound",service="other",outcome="refused"}')).toBe(3);
    expect(value('synscope_handshakes_total{direction="outbound",service="9",outcome="answered"}')).toBe(10);
    expect(metrics.text('prometheus')).not.toContain('service="80"');
  });

  it('count incidents once, and the attempts that they gain', () => {
    const { view, value } = setup();
    const first = sampleIncident(1, { attempts: 4, repairs: [] });
    view.emit({ type: 'incident', incident: { ...first, cause: null } });
    view.emit({ type: 'incident', incident: { ...first, attempts: 10 } });
    view.emit({ type: 'incident', incident: { ...first, attempts: 10 } });
    view.emit({ type: 'incident', incident: closed({ ...first, attempts: 11 }) });
    view.emit({ type: 'incident', incident: closed({ ...first, attempts: 11 }) });
    view.emit({ type: 'incident', incident: sampleIncident(2, { kind: 'warning', attempts: 0, repairs: [] }) });
    expect(value('synscope_incidents_total{kind="failure",cause="unknown"}')).toBe(1);
    expect(value('synscope_incidents_total{kind="failure",cause="no-return-route"}')).toBeUndefined();
    expect(value('synscope_incidents_total{kind="warning",cause="no-return-route"}')).toBe(1);
    const failed = 'synscope_failed_handshakes_total{direction="inbound",kind="failure"';
    expect(value(`${failed},cause="unknown"}`)).toBe(4);
    expect(value(`${failed},cause="no-return-route"}`)).toBe(7);
    view.open = [first];
    expect(value('synscope_incidents_open{kind="failure"}')).toBe(1);
    expect(value('synscope_incidents_open{kind="noise"}')).toBe(0);
  });

  it('leave out what an earlier watch counted', () => {
    const view = new FakeWatch();
    view.open = [sampleIncident(1, { attempts: 4 })];
    const metrics = new Metrics({ view, store: new MemoryStore(), services: 1 });
    view.emit({ type: 'incident', incident: sampleIncident(1, { attempts: 5 }) });
    const text = metrics.text('prometheus');
    expect(text).not.toContain('synscope_incidents_total{');
    expect(text).not.toContain('synscope_repairs_total{');
    expect(text).toContain('cause="no-return-route"} 1\n');
  });

  it('count repairs as they come', () => {
    const { view, value } = setup();
    const [suggested] = sampleIncident(1).repairs;
    view.emit({ type: 'incident', incident: sampleIncident(1) });
    view.emit({
      type: 'incident',
      incident: sampleIncident(1, { repairs: [suggested!, { ...suggested!, by: 'person', outcome: 'verified' }] }),
    });
    expect(value('synscope_repairs_total{by="policy",outcome="suggested"}')).toBe(1);
    expect(value('synscope_repairs_total{by="person",outcome="verified"}')).toBe(1);
  });

  it('tell the fullest queue of a port', () => {
    const { view, value } = setup();
    view.listening = [LISTENER, { ...LISTENER, acceptQueue: { waiting: 9, limit: 10 }, synQueue: 4 }];
    expect(value('synscope_accept_queue_fill_ratio{service="443"}')).toBe(0.9);
    expect(value('synscope_syn_queue_requests{service="443"}')).toBe(5);
    expect(value('synscope_listeners')).toBe(2);
  });

  it('never let the drops of listeners fall', () => {
    const { view, value } = setup();
    const drops = 'synscope_listener_drops_total{service="443"}';
    const tell = (...counts: readonly number[]) =>
      view.emit({ type: 'listeners', listeners: counts.map((count) => ({ ...LISTENER, drops: count })) });
    expect(value(drops)).toBe(0);
    tell(10);
    expect(value(drops)).toBe(6);
    tell();
    tell(3);
    tell(5);
    expect(value(drops)).toBe(8);
    // The socket was made anew.
    tell(1);
    tell(2);
    expect(value(drops)).toBe(9);
  });

  it('tell of themselves', () => {
    const { value, store, metrics } = setup();
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
    expect(value('process_open_fds')).toBeGreaterThan(2);
    expect(Math.abs((value('process_start_time_seconds') ?? 0) - Date.now() / 1000)).toBeLessThan(86_400);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('synscope_alerts_total{kind="webhook",outcome="sent"}')).toBe(5);
    expect(value('synscope_history_writable')).toBe(1);
    store.state = () => ({ kind: 'duckdb', bytes: 77, notes: [], trouble: { reason: 'full' } });
    expect(value('synscope_history_writable')).toBe(0);
    expect(value('synscope_history_size_bytes')).toBe(77);
    metrics.close();
  });

  it('are all in the registry, and nothing else is told', () => {
    const { view, metrics } = setup();
    view.emit({ type: 'counts', counts: [sampleCounts(0)] });
    view.emit({ type: 'incident', incident: sampleIncident(1) });
    view.emit({ type: 'listeners', listeners: [LISTENER] });
    metrics.countRequest(200);
    const told = [...metrics.text('prometheus').matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    const known = METRICS.filter(({ name }) => name !== 'synscope_history_size_bytes').map(
      ({ name, type }) => `${name} ${type}`,
    );
    expect(told).toEqual(known);
    for (const { name, type, help, labels } of METRICS) {
      expect(name).toMatch(/^(synscope|process)_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).toMatch(/\.$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  it('stop when they are closed', () => {
    const { view, metrics } = setup();
    metrics.close();
    expect(view.subscribers).toBe(0);
  });
});

describe('the text', () => {
  it('escapes what labels and help may hold', () => {
    const text = writeExposition([{ name: 'synscope_build_info', labels: ['a"b\\c\nd'], value: 1 }], 'prometheus');
    expect(text).toContain('synscope_build_info{version="a\\"b\\\\c\\nd"} 1\n');
    expect(text.split('\n')).toHaveLength(4);
  });

  it('names families of counters without their suffix in OpenMetrics', () => {
    const text = writeExposition([{ name: 'synscope_capture_packets_total', labels: [], value: 5 }], 'openmetrics');
    expect(text).toMatch(/# TYPE synscope_capture_packets counter\nsynscope_capture_packets_total 5\n# EOF\n$/);
  });

  it('pleases promtool', (context) => {
    const { view, metrics } = setup();
    view.emit({ type: 'counts', counts: [sampleCounts(0, { service: { ...HTTPS, direction: 'outbound' } })] });
    view.emit({ type: 'incident', incident: sampleIncident(1) });
    const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
      input: metrics.text('prometheus'),
      encoding: 'utf8',
    });
    if (error !== undefined) {
      process.stderr.write('metrics.test.ts: promtool is not installed, its check is skipped\n');
      return context.skip();
    }
    expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: '' });
  });
});
