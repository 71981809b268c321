import { expect, it } from 'vitest';
import { type SseEvent, SseParser } from './sse.ts';

const STREAM =
  ': comment\nevent: hello\ndata: {"a":1}\n\nid: 7\r\nevent: incident\r\ndata: first\r\ndata: second\r\n\r\nretry: 10\n\ndata:bare\n\nid: 8\nevent: fate\ndata: cut';

const EVENTS: readonly SseEvent[] = [
  { type: 'hello', data: '{"a":1}', id: '' },
  { type: 'incident', data: 'first\nsecond', id: '7' },
  { type: 'message', data: 'bare', id: '7' },
];

it('splits a stream into events, and keeps back what is not complete', () => {
  expect(new SseParser().push(STREAM)).toEqual(EVENTS);
});

it('gives the same wherever the stream is cut', () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const parser = new SseParser();
    expect([...parser.push(STREAM.slice(0, cut)), ...parser.push(STREAM.slice(cut))], `cut at ${cut}`).toEqual(EVENTS);
  }
});

it('goes on with the id of the last connection', () => {
  expect(new SseParser('41').push('data: x\n\n')).toEqual([{ type: 'message', data: 'x', id: '41' }]);
});
