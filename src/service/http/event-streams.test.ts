import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { at, HTTPS, sampleCounts, sampleIncident } from '../history/testing/incidents.ts';
import { LISTENER } from './testing/fake-watch.ts';
import { Served } from './testing/serve.ts';

/** One who follows the events. */
class Reader {
  text = '';
  ended = false;
  readonly #request: ClientRequest;
  response: IncomingMessage | undefined;

  constructor(served: Served, headers: Readonly<Record<string, string>> = {}) {
    this.#request = request(new URL('/api/v1/events', served.url), { headers, agent: false }, (response) => {
      this.response = response;
      response.setEncoding('utf8').on('data', (text: string) => {
        this.text += text;
      });
      response
        .on('error', () => undefined)
        .once('close', () => {
          this.ended = true;
        });
    });
    this.#request.on('error', () => undefined);
    this.#request.end();
  }

  async until(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.text).toContain(text), { timeout: 20_000 });
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }

  leave(): void {
    this.#request.destroy();
  }
}

describe('the events', () => {
  let served: Served;
  beforeEach(async () => {
    served = new Served();
    await served.start();
  });
  afterEach(() => served.stop());

  it('come as they happen', async () => {
    const reader = new Reader(served);
    await reader.until('event: hello');
    expect(reader.response?.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
    served.watch.emit({ type: 'incident', incident: sampleIncident(7) });
    const fate = { atNs: at(1), service: HTTPS, client: '2001:db8::1', fate: 'failed', incidentId: 7 } as const;
    served.watch.emit({ type: 'fate', fate });
    served.watch.emit({ type: 'counts', counts: [sampleCounts(0)] });
    served.watch.emit({ type: 'listeners', listeners: [LISTENER] });
    await reader.until('event: listeners');
    const events = [...reader.text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, name, data]) => [
      name,
      JSON.parse(data as string),
    ]);
    expect(events.map(([name]) => name)).toEqual(['hello', 'incident', 'fate', 'counts', 'listeners']);
    expect(events[0]?.[1]).toMatchObject({ resumed: false });
    expect(events[1]?.[1].incident).toMatchObject({ id: 7, state: 'open' });
    expect(events[1]?.[1].incident.samples).toBeUndefined();
    expect(events[2]?.[1].fate).toEqual({
      at: '2026-11-20T14:00:01.000000000Z',
      service: HTTPS,
      client: '2001:db8::1',
      fate: 'failed',
      incidentId: 7,
    });
    reader.leave();
  });

  it('that were missed come to those who come back', async () => {
    const first = new Reader(served);
    await first.until('event: hello');
    served.watch.emit({ type: 'incident', incident: sampleIncident(1) });
    await first.until('"id":1,');
    const seen = first.lastId;
    first.leave();
    served.watch.emit({ type: 'incident', incident: sampleIncident(2) });
    const second = new Reader(served, { 'last-event-id': seen });
    await second.until('"id":2,');
    expect(second.text).toContain('"resumed":true');
    expect(second.text).not.toContain('"id":1,');
    // From another watch, from the future, or nonsense: everything is to be read anew.
    for (const id of ['zzz-1', `${seen.split('-')[0]}-99`, 'x', '-1', '']) {
      const other = new Reader(served, { 'last-event-id': id });
      await other.until('event: hello');
      expect(other.text).toContain('"resumed":false');
      other.leave();
    }
    for (let id = 3; id < 1000; id += 1) served.watch.emit({ type: 'incident', incident: sampleIncident(id) });
    const late = new Reader(served, { 'last-event-id': seen });
    await late.until('event: hello');
    expect(late.text).toContain('"resumed":false');
    late.leave();
    second.leave();
  });

  it('are for a bounded number of readers', async () => {
    const readers = Array.from({ length: 32 }, () => new Reader(served));
    await Promise.all(readers.map((reader) => reader.until('event: hello')));
    const { status, json } = await served.ask('/api/v1/events');
    expect({ status, code: json.error.code }).toEqual({ status: 503, code: 'too-many-listeners' });
    expect((await served.ask('/metrics')).body).toContain('synscope_http_event_streams 32\n');
    readers[0]?.leave();
    await vi.waitFor(
      async () => expect((await served.ask('/metrics')).body).toContain('synscope_http_event_streams 31\n'),
      { timeout: 20_000 },
    );
    const next = new Reader(served);
    await next.until('event: hello');
    for (const reader of [next, ...readers]) reader.leave();
  });

  it('let go of a reader that takes nothing, and not of the others', async () => {
    const slow = new Reader(served);
    const quick = new Reader(served);
    await Promise.all([slow.until('event: hello'), quick.until('event: hello')]);
    slow.response?.pause();
    const incident = sampleIncident(1, { sentence: 'x'.repeat(60_000) });
    await vi.waitFor(
      async () => {
        for (let count = 0; count < 10; count += 1) served.watch.emit({ type: 'incident', incident });
        await new Promise((resolve) => setTimeout(resolve, 20));
        const { body } = await served.ask('/metrics');
        expect(body.includes('synscope_http_event_streams 1\n')).toBe(true);
      },
      { timeout: 30_000 },
    );
    served.watch.emit({ type: 'incident', incident: sampleIncident(777) });
    await quick.until('"id":777,');
    slow.leave();
    quick.leave();
  });

  it('end with a word when the watch ends', async () => {
    const reader = new Reader(served);
    await reader.until('event: hello');
    await served.service.close();
    await reader.until('event: bye');
    await vi.waitFor(() => expect(reader.ended).toBe(true), { timeout: 20_000 });
  });
});
