import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalHost } from '../host/local-host.ts';
import { NetnsHost } from '../host/netns-host.ts';
import {
  CLIENT_V4,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
} from '../host/testing/namespaces.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { isUnavailable } from '../model/facts/fact.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { Handshake } from '../model/handshake.ts';
import { type Actor, LISTEN, startActor } from './facts/testing/actors.ts';
import { AnsweringHost } from './facts/testing/answering-host.ts';
import { WATCHED } from './facts/testing/scopes.ts';
import { type KernelTraceWatch, watchKernel } from './kernel-trace.ts';
import { type EventFormat, planEvents } from './kernel-trace-events.ts';
import { TracefsHost } from './testing/tracefs-host.ts';

const PORT = 8443;
const INSTANCES = '/sys/kernel/tracing/instances';

test('where tracefs is not mounted, or may not be read, that is said', async () => {
  const unmounted = await watchKernel(new AnsweringHost({ files: { '/sys/kernel/tracing/README': '' } }), PORT);
  expect(unmounted.trace(WATCHED)).toMatchObject({
    unavailable: 'not-supported',
    hint: 'mount -t tracefs tracefs /sys/kernel/tracing',
  });
  await unmounted.stop();
  const files = { '/sys/kernel/tracing/instances/other': '' };
  const commands = {
    'cat /proc/uptime /proc/sys/kernel/random/uuid': '1000.25 4.00\n01234567-89ab-cdef-0123-456789abcdef\n',
    'mkdir /sys/kernel/tracing/instances/synscope-1000-01234567': {
      exitCode: 1,
      stdout: '',
      stderr: 'mkdir: cannot create directory: Operation not permitted',
    },
  };
  const denied = await watchKernel(new AnsweringHost({ files, commands }), PORT);
  expect(denied.trace(WATCHED)).toMatchObject({ unavailable: 'no-permission' });
});

describe('events of a kernel', () => {
  test('only those that it has, with the fields that are needed', () => {
    const format = (fields: string[], numbers: [string, number][] = []): EventFormat => ({
      fields: new Set(fields),
      numbers: new Map(numbers),
    });
    const formats = new Map([
      ['fib/fib_table_lookup', format(['err', 'tb_id', 'sport', 'dport', 'proto'])],
      // Before 4.18 without an error.
      ['fib6/fib6_table_lookup', format(['tb_id', 'sport'])],
      ['skb/kfree_skb', format(['skbaddr', 'location', 'protocol', 'reason'], [['QUEUE_PURGE', 104]])],
      ['tcp/tcp_send_reset', format(['skbaddr'])],
    ]);
    expect(planEvents(formats, 443)).toEqual([
      {
        path: 'fib/fib_table_lookup',
        filter: '(proto == 6 && (sport == 443 || dport == 443)) || (err < 0 && tb_id != 255)',
        onlyFiltered: true,
      },
      {
        path: 'skb/kfree_skb',
        filter: '(protocol == 2048 || protocol == 34525) && reason != 104',
        onlyFiltered: false,
      },
      { path: 'tcp/tcp_send_reset', onlyFiltered: false },
    ]);
    // Before 5.17 without a reason.
    expect(planEvents(new Map([['skb/kfree_skb', format(['skbaddr', 'location', 'protocol'])]]), 443)).toEqual([]);
  });
});

const host = namespacesMissing() === undefined ? await TracefsHost.open() : undefined;
if (host === undefined) console.log('skipped: the tracepoints of this kernel (needs root and tracefs)');

describe.skipIf(host === undefined)('the tracepoints of this kernel', () => {
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;
  let listener: Actor;
  let watch: KernelTraceWatch;

  beforeAll(async () => {
    pair = makeNamespacePair('skt');
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
    listener = await startActor(pair.server, LISTEN, '::', `${PORT}`, '5');
    if (host !== undefined) watch = await watchKernel(host, PORT);
  });
  afterAll(async () => {
    await watch?.stop();
    await listener?.end();
    await Promise.all([server?.close(), client?.close(), host?.close()]);
    pair?.remove();
  });

  /** Connects once and tells what the trace of the kernel says of it. */
  async function attempt(): Promise<KernelTrace> {
    const startedAtNs = await server.nowNs();
    const { local } = await client.connect({ address: SERVER_V4, port: PORT, timeoutMs: 300 });
    await sleep(200);
    const judged: Attempt = {
      ...WATCHED,
      client: { address: CLIENT_V4, port: local?.port ?? 0 },
      server: { address: SERVER_V4, port: PORT },
      handshake: { startedAtNs, endedAtNs: await server.nowNs() } as Handshake,
    };
    const fact = watch.trace(judged);
    if (isUnavailable(fact)) throw new Error(fact.reason);
    return fact.value;
  }

  test('a route back that is prohibited', async () => {
    await server.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.eth0.rp_filter=0']);
    await server.run(['ip', 'route', 'add', 'prohibit', `${CLIENT_V4}/32`]);
    const { events, overrun } = await attempt();
    const last = events.filter((event) => event.kind === 'route-lookup').at(-1);
    expect(last).toMatchObject({ purpose: 'reply', err: -13 });
    expect(events.some(({ kind }) => kind === 'dropped')).toBe(false);
    expect(overrun).toBe(false);
  });

  test('the source check, and nothing of the attempt before it', async () => {
    await server.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
    const { events, drops } = await attempt();
    expect(events.map((event) => (event.kind === 'route-lookup' ? event.purpose : event.kind))).toEqual([
      'source-check',
      'dropped',
    ]);
    expect(drops.some(({ reason }) => reason === 'IP_RPFILTER')).toBe(true);
    await server.run(['ip', 'route', 'del', 'prohibit', `${CLIENT_V4}/32`]);
    const healthy = await attempt();
    expect(healthy.events.some(({ kind }) => kind === 'dropped')).toBe(false);
  });

  test('nobody listens any more', async () => {
    await listener.end();
    const { events } = await attempt();
    expect(events).toContainEqual(expect.objectContaining({ kind: 'state-changed', from: 'LISTEN', to: 'CLOSE' }));
    expect(events).toContainEqual(expect.objectContaining({ kind: 'reset-sent', sourcePort: PORT }));
  });

  test('nothing is left behind: not at the end, and not of a run that was killed', async () => {
    if (host === undefined) return;
    const own = async (): Promise<string[]> =>
      (await host.listDirectory(INSTANCES)).filter((name) => name.startsWith('synscope-'));
    expect((await own()).length).toBeGreaterThan(0);
    await host.run(['mkdir', `${INSTANCES}/synscope-1-deadbeef`]);
    const second = await watchKernel(host, PORT);
    expect(await own()).not.toContain('synscope-1-deadbeef');
    const before = await own();
    await Promise.all([second.stop(), second.stop()]);
    expect((await own()).length).toBe(before.length - 1);
    await watch.stop();
    expect((await own()).length).toBe(before.length - 2);
  });

  test('the user gets no mount', async () => {
    const bare = await watchKernel(new LocalHost(), PORT);
    const fact = bare.trace(WATCHED);
    await bare.stop();
    const mounted = (await new LocalHost().readFile('/proc/self/mounts')).includes(' tracefs ');
    expect(isUnavailable(fact)).toBe(!mounted);
  });
});
