import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Attempt } from '../model/facts/attempt.ts';
import type { KernelEvent } from '../model/facts/kernel-events.ts';
import { KernelTraceLog } from './kernel-trace-log.ts';

interface Recorded extends Pick<Attempt, 'family' | 'client' | 'server'> {
  readonly fromUs: number;
  readonly toUs: number;
}

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/tracefs/${name}`, import.meta.url), 'utf8');
}

const ATTEMPTS: Readonly<Record<string, Recorded>> = JSON.parse(fixture('attempts.json'));

function attemptOf(
  name: string,
  side: Attempt['side'] = 'server',
  synAcks = 0,
): { attempt: Attempt; window: Recorded } {
  const window = ATTEMPTS[name];
  if (window === undefined) throw new Error(name);
  const { family, client, server } = window;
  const bare = { observed: true, captured: true, syns: 1, sightings: [], icmpErrors: [], lastedMs: 0 };
  return { attempt: { ...bare, side, synAcks, family, client, server }, window };
}

function logOf(...texts: readonly string[]): KernelTraceLog {
  const log = new KernelTraceLog();
  for (const text of texts) log.push(new TextEncoder().encode(text));
  return log;
}

/** Events of a recorded attempt, each in a few words. */
function told(name: string, side?: Attempt['side'], synAcks?: number): string[] {
  const { attempt, window } = attemptOf(name, side, synAcks);
  return logOf(fixture(`6.18-${name}.txt`))
    .traceOf(attempt, window)
    .events.map(inWords);
}

function inWords(event: KernelEvent): string {
  switch (event.kind) {
    case 'route-lookup':
      return `${event.purpose} ${event.table} ${event.err}${event.device === undefined ? '' : ` ${event.device}`}`;
    case 'dropped':
      return `dropped ${event.packet} ${event.reason} ${event.location}`;
    case 'consumed':
      return `consumed ${event.packet} ${event.location}`;
    case 'reset-sent':
      return `reset ${event.reason} ${event.sourcePort}`;
    case 'state-changed':
      return `${event.from} ${event.to}`;
    case 'neighbour-failed':
      return `neighbour ${event.address}`;
    default:
      return event.kind;
  }
}

const TAKEN = 'consumed syn tcp_rcv_state_process';

describe('recorded attempts, seen from the server', () => {
  test('healthy', () => {
    expect(told('healthy-v4', 'server', 1).slice(0, 3)).toEqual(['reply 254 0 eth0', TAKEN, 'LISTEN SYN_RECV']);
    expect(told('healthy-v6', 'server', 1).slice(0, 3)).toEqual(['reply 255 -113', 'reply 254 0 eth0', TAKEN]);
    expect(told('healthy-v4', 'server', 1).some((event) => event.startsWith('dropped'))).toBe(false);
  });

  test('no usable route back: a failing lookup, and the SYN is consumed, not dropped', () => {
    expect(told('prohibit-v4')).toEqual(['reply 254 -13', TAKEN]);
    expect(told('no-route-v6')).toEqual(['reply 255 -113', 'reply 254 -113', TAKEN]);
  });

  test('the reverse path filter', () => {
    expect(told('rp-filter-v4')).toEqual(['source-check 254 -13', 'dropped syn IP_RPFILTER ip_rcv_finish_core']);
  });

  test('a SYN-ACK that is dropped on its way out', () => {
    expect(told('output-drop-v4')).toEqual(['reply 254 0 eth0', 'dropped syn-ack NETFILTER_DROP nft_do_chain', TAKEN]);
  });

  test('a SYN that is dropped on its way in belongs to nobody: only its kind is told', () => {
    expect(told('input-drop-v4')).toEqual([]);
    const { attempt, window } = attemptOf('input-drop-v4');
    const { drops, overrun } = logOf(fixture('6.18-input-drop-v4.txt')).traceOf(attempt, window);
    expect(drops).toContainEqual({ reason: 'NETFILTER_DROP', location: 'nft_do_chain', count: 1 });
    expect(overrun).toBe(false);
  });

  test('nobody listens: the RST, the SYN that it answers, and its own lookup', () => {
    expect(told('no-listener-v4')).toEqual([
      'reset NO_SOCKET 8443',
      'reply 254 0 eth0',
      'dropped syn NO_SOCKET tcp_v4_rcv',
    ]);
    expect(told('no-listener-v6')).toEqual([
      'reset NO_SOCKET 8443',
      'reply 255 -113',
      'reply 254 0 eth0',
      'dropped syn NO_SOCKET tcp_v6_rcv',
    ]);
  });

  test('the SYN-ACK is retransmitted; the SYN that repeats is no drop of the answer', () => {
    const events = told('client-input-drop-v4', 'server', 1);
    expect(events.filter((event) => event === 'syn-ack-retransmitted').length).toBeGreaterThan(1);
    expect(events.some((event) => event.startsWith('dropped'))).toBe(false);
  });

  test('the next hop does not answer', () => {
    expect(told('neighbour-failed-v4', 'server', 1)).toContain('neighbour 10.77.0.2');
  });
});

test('seen from the client: lookups of the SYN, before and after it has an address and a port', () => {
  expect(told('no-listener-v4', 'client')).toEqual([
    'output 254 0 eth0',
    'output 254 0 eth0',
    'output 254 0 eth0',
    'reset-received',
    'SYN_SENT CLOSE',
  ]);
});

test('the port behind a redirection is told', () => {
  const { attempt, window } = attemptOf('no-listener-v4');
  const text = fixture('6.18-no-listener-v4.txt').replace('src=10.77.0.1:8443', 'src=10.77.0.1:18999');
  expect(logOf(text).traceOf(attempt, window).events.map(inWords)).toContain('reset NO_SOCKET 18999');
});

test('kernels before 6.11 name the ends of the packet that is answered', () => {
  const { attempt, window } = attemptOf('no-listener-v4');
  const text = fixture('6.18-no-listener-v4.txt').replace(
    /src=(\S+) dest=(\S+) state=UNKNOWN reason=NO_SOCKET/,
    'src=$2 dest=$1 state=UNKNOWN',
  );
  expect(logOf(text).traceOf(attempt, window).events.map(inWords)).toContain('reset undefined 8443');
});

test('events with addresses alone count only within the time of the attempt', () => {
  const { attempt, window } = attemptOf('rp-filter-v4');
  const log = logOf(fixture('6.18-rp-filter-v4.txt'));
  expect(log.traceOf(attempt, undefined).events).toEqual([]);
  expect(log.traceOf(attempt, { fromUs: window.toUs, toUs: window.toUs + 1e6 }).events).toEqual([]);
  const before = { fromUs: window.fromUs - 2e6, toUs: window.fromUs - 1e6 };
  expect(log.traceOf(attempt, before).events.filter(({ kind }) => kind === 'dropped')).toEqual([]);
});

test('our own questions are not events of the kernel', () => {
  const { attempt, window } = attemptOf('prohibit-v4');
  const text = fixture('6.18-prohibit-v4.txt').replace(
    /^.* (\[\d+\]) \S+ (.* 8443 .*|.*10\.77\.0\.1\/8443.*)$/gm,
    '              ip-9   $1 ..... $2',
  );
  expect(logOf(text).traceOf(attempt, window).events).toEqual([]);
});

test('cut anywhere, the same is told; a gap is', () => {
  const { attempt, window } = attemptOf('output-drop-v4');
  const text = fixture('6.18-output-drop-v4.txt');
  const whole = logOf(text).traceOf(attempt, window);
  for (let at = 1; at < text.length; at += 211) {
    expect(logOf(text.slice(0, at), text.slice(at)).traceOf(attempt, window)).toEqual(whole);
  }
  const gap = text.replace(/^(.*NETFILTER_DROP.*)$/m, '$1\nCPU:1 [LOST 7 EVENTS]');
  const trace = logOf(gap).traceOf(attempt, window);
  expect(trace.overrun).toBe(true);
  expect(trace.events.map(inWords)).toEqual(['reply 254 0 eth0']);
});

test('a flood is remembered in part', () => {
  const line =
    '          <idle>-0       [000] ..s1. 1.000000: kfree_skb: skbaddr=00000000faa38bec protocol=2048 location=f';
  const log = logOf(
    Array.from({ length: 50_000 }, (_, index) => `${line}${index}+0x1/0x2 reason: NOT_SPECIFIED\n`).join(''),
  );
  const { attempt } = attemptOf('healthy-v4');
  expect(log.traceOf(attempt, undefined).drops.length).toBe(256);
});
