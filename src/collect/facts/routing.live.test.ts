import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BundleHost } from '../../host/bundle/bundle-host.ts';
import { RecordingHost } from '../../host/bundle/recording-host.ts';
import type { Host } from '../../host/host.ts';
import { NetnsHost } from '../../host/netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../../host/testing/namespaces.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { RouteLookup } from '../../model/facts/routing.ts';
import { type Facts, gatherFacts } from './gather.ts';
import { HOST_COLLECTORS } from './index.ts';
import { type Actor, LISTEN, startActor } from './testing/actors.ts';
import { WATCHED } from './testing/scopes.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: routes of real hosts (${missing})`);

const PORT = 8444;
const FAR: Readonly<Record<4 | 6, string>> = { 4: '198.51.100.7', 6: '2001:db8:7::7' };
const FAR_PREFIX: Readonly<Record<4 | 6, string>> = { 4: '198.51.100.0/24', 6: '2001:db8:7::/48' };
const OWN: Readonly<Record<4 | 6, string>> = { 4: SERVER_V4, 6: SERVER_V6 };
const NEAR: Readonly<Record<4 | 6, string>> = { 4: CLIENT_V4, 6: CLIENT_V6 };

describe.skipIf(missing !== undefined)('routes of a real host', () => {
  let pair: NamespacePair;
  let host: NetnsHost;
  let listener: Actor;

  beforeAll(async () => {
    pair = makeNamespacePair('skr');
    host = new NetnsHost(pair.server);
    // A second link, with an address of its own.
    const client = new NetnsHost(pair.client);
    await ok(host, `ip link add eth1 type veth peer name eth1 netns ${pair.client}`);
    for (const [on, last] of [
      [host, 1],
      [client, 2],
    ] as const) {
      await ok(on, 'ip link set eth1 up');
      await ok(on, `ip addr add 10.78.0.${last}/24 dev eth1`);
      await ok(on, `ip addr add fd78::${last}/64 dev eth1 nodad`);
    }
    await client.close();
    listener = await startActor(pair.server, LISTEN, '::', `${PORT}`, '16');
  });
  afterAll(async () => {
    await listener?.end();
    await host?.close();
    pair?.remove();
  });

  async function ok(on: Host, command: string): Promise<void> {
    const result = await on.run(command.split(' '));
    if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr}`);
  }

  function attemptFrom(family: 4 | 6, client = FAR[family], more: Partial<Attempt> = {}): Attempt {
    return {
      ...WATCHED,
      family,
      client: { address: client, port: 50000 },
      server: { address: OWN[family], port: PORT },
      ...more,
    };
  }

  function gather(attempt: Attempt, on: Host = host): Promise<Facts> {
    return gatherFacts(on, HOST_COLLECTORS, { side: attempt.side, port: PORT, attempt }, undefined);
  }

  async function lookup(name: 'outgoingRoute' | 'incomingRoute', attempt: Attempt): Promise<RouteLookup> {
    const fact = (await gather(attempt))[name];
    if (fact === undefined || isUnavailable(fact)) throw new Error(fact?.reason ?? 'not gathered');
    return fact.value;
  }

  /** Does one thing, asks, and undoes it. */
  async function withChange<T>(add: string, remove: string, then: () => Promise<T>): Promise<T> {
    await ok(host, add);
    try {
      return await then();
    } finally {
      await ok(host, remove);
    }
  }

  describe.each([4, 6] as const)('IPv%s', (family) => {
    const ip = `ip -${family}`;
    const out = (client?: string): Promise<RouteLookup> => lookup('outgoingRoute', attemptFrom(family, client));

    test('no route back', async () => {
      expect(await out()).toMatchObject({ ok: false, failure: 'no-route', message: 'Network is unreachable' });
    });

    test('a client on the link', async () => {
      expect(await out(NEAR[family])).toMatchObject({ ok: true, type: 'unicast', device: 'eth0', table: 'main' });
    });

    test.each(['unreachable', 'prohibit', 'blackhole'] as const)('a route that is %s', async (type) => {
      await withChange(
        `${ip} route add ${type} ${FAR_PREFIX[family]}`,
        `${ip} route del ${type} ${FAR_PREFIX[family]}`,
        async () => {
          expect(await out()).toMatchObject({
            ok: false,
            failure: type,
            matchedRoute: { type, destination: FAR_PREFIX[family], table: 'main' },
          });
        },
      );
    });

    test.each([
      'unreachable',
      'prohibit',
      'blackhole',
    ] as const)('a rule that is %s, for this port only', async (action) => {
      await withChange(`${ip} route add default via ${NEAR[family]}`, `${ip} route del default`, async () => {
        await withChange(
          `${ip} rule add pref 90 ipproto tcp sport ${PORT} ${action}`,
          `${ip} rule del pref 90`,
          async () => {
            const found = await out();
            expect(found).toMatchObject({ ok: false, failure: action, matchedRule: { priority: 90, action } });
            expect(found.matchedRoute).toBeUndefined();
          },
        );
        expect(await out()).toMatchObject({ ok: true, gateway: NEAR[family], matchedRule: { priority: 32766 } });
      });
    });

    test('a throw route that hides the default route of its table', async () => {
      const undo: string[] = [];
      const doing = async (add: string, remove: string): Promise<void> => {
        await ok(host, add);
        undo.unshift(remove);
      };
      try {
        await doing(`${ip} route add default via ${NEAR[family]} table 77`, `${ip} route flush table 77`);
        await ok(host, `${ip} route add throw ${FAR_PREFIX[family]} table 77`);
        await doing(`${ip} rule add pref 91 lookup 77`, `${ip} rule del pref 91`);
        expect(await out()).toMatchObject({
          ok: false,
          failure: 'throw',
          matchedRoute: { type: 'throw', table: '77', destination: FAR_PREFIX[family] },
        });
      } finally {
        for (const command of undo) await ok(host, command);
      }
    });

    test('a rule for the user of the listener', async () => {
      await withChange(`${ip} route add default via ${NEAR[family]}`, `${ip} route del default`, async () => {
        await withChange(`${ip} rule add pref 92 uidrange 0-0 prohibit`, `${ip} rule del pref 92`, async () => {
          expect(await out()).toMatchObject({ ok: false, failure: 'prohibit', matchedRule: { uids: [0, 0] } });
        });
        await withChange(`${ip} rule add pref 92 uidrange 1-4000 prohibit`, `${ip} rule del pref 92`, async () => {
          expect(await out()).toMatchObject({ ok: true });
        });
      });
    });

    test('what comes in is delivered here', async () => {
      expect(await lookup('incomingRoute', attemptFrom(family))).toMatchObject({ ok: true, type: 'local' });
    });

    test('recorded tables answer for a client that was not known then', async () => {
      await withChange(
        `${ip} route add ${FAR_PREFIX[family]} via ${NEAR[family]}`,
        `${ip} route del ${FAR_PREFIX[family]}`,
        async () => {
          const recording = new RecordingHost(host);
          await gather(attemptFrom(family, NEAR[family]), recording);
          const header = { format: 'synscope-bundle', version: 1, synscope: '', recordedAt: '', on: '' } as const;
          const bundle = new BundleHost(
            { header: { ...header, ports: [], redacted: [], anonymized: false }, entries: recording.entries },
            'bundle:test',
          );
          const attempt = attemptFrom(family);
          const [live, replayed] = [await gather(attempt), await gather(attempt, bundle)];
          for (const name of ['outgoingRoute', 'incomingRoute'] as const) {
            const fact = live[name];
            if (fact === undefined || isUnavailable(fact)) throw new Error('no lookup');
            const { ok: succeeded, type, device, gateway, table } = fact.value;
            const wanted = { ok: succeeded, type, device, gateway, table, computed: true };
            expect(replayed[name]).toMatchObject({
              value: Object.fromEntries(Object.entries(wanted).filter(([, v]) => v !== undefined)),
            });
          }
          const other = family === 4 ? '203.0.113.9' : '2001:db8:ffff::1';
          expect((await gather(attemptFrom(family, other), bundle)).outgoingRoute).toMatchObject({
            value: { ok: false, failure: 'no-route', computed: true },
          });
        },
      );
    });

    test('the client asks as connect() does', async () => {
      const attempt: Attempt = {
        ...attemptFrom(family, family === 4 ? '0.0.0.0' : '::'),
        side: 'client',
        server: { address: NEAR[family], port: PORT },
        client: { address: family === 4 ? '0.0.0.0' : '::', port: 0 },
        syns: 0,
      };
      const { inDevice: _, ...unseen } = attempt;
      const facts = await gather(unseen);
      expect(facts.outgoingRoute).toMatchObject({ value: { ok: true, device: 'eth0', source: OWN[family] } });
      expect(facts.incomingRoute).toMatchObject({ value: { ok: true, type: 'local' } });
      expect((await gather({ ...unseen, server: { address: FAR[family], port: PORT } })).outgoingRoute).toMatchObject({
        value: { ok: false, failure: 'no-route' },
      });
    });
  });

  test('IPv4: a source that is no address of this host reads like "no route", and is told apart', async () => {
    const attempt = attemptFrom(4, CLIENT_V4, { server: { address: '10.77.0.200', port: PORT } });
    expect(await lookup('outgoingRoute', attempt)).toMatchObject({
      ok: false,
      failure: 'invalid-source',
      message: 'Network is unreachable',
    });
  });

  test('IPv4: the source check: strict, and for want of a route', async () => {
    const sysctl = (value: number): string => `sysctl -qw net.ipv4.conf.eth0.rp_filter=${value}`;
    const strict = attemptFrom(4, '10.78.0.2', { inDevice: 'eth0' });
    await withChange(sysctl(1), sysctl(0), async () => {
      expect(await lookup('incomingRoute', strict)).toMatchObject({ ok: false, failure: 'invalid-source' });
      expect(await lookup('outgoingRoute', strict)).toMatchObject({ ok: true, device: 'eth1' });
      expect(await lookup('incomingRoute', attemptFrom(4, CLIENT_V4))).toMatchObject({ ok: true });
    });
    await withChange(sysctl(2), sysctl(0), async () => {
      expect(await lookup('incomingRoute', strict)).toMatchObject({ ok: true });
      expect(await lookup('incomingRoute', attemptFrom(4))).toMatchObject({ ok: false, failure: 'invalid-source' });
    });
  });

  test('IPv4: an address of our own as the source', async () => {
    expect(await lookup('incomingRoute', attemptFrom(4, '10.78.0.1'))).toMatchObject({
      ok: false,
      failure: 'invalid-source',
    });
  });

  test('IPv6: a client with a link-local address', async () => {
    const found = await lookup('outgoingRoute', attemptFrom(6, 'fe80::1234', { inDevice: 'eth1' }));
    expect(found).toMatchObject({ ok: true, device: 'eth1' });
    expect(found.command).toEqual(expect.arrayContaining(['oif', 'eth1']));
  });

  test('connections to oneself', async () => {
    const attempt = attemptFrom(4, SERVER_V4, { inDevice: 'lo' });
    expect(await lookup('outgoingRoute', attempt)).toMatchObject({ ok: true, type: 'local', device: 'lo' });
    expect(await lookup('incomingRoute', attempt)).toMatchObject({ ok: true, type: 'local', device: 'lo' });
  });

  test('IPsec policies, neighbours and routes of the namespace', async () => {
    const policy = `dir out src ${SERVER_V4} dst ${CLIENT_V4}`;
    await withChange(`ip xfrm policy add ${policy} action block`, `ip xfrm policy delete ${policy}`, async () => {
      const facts = await gather(attemptFrom(4, CLIENT_V4));
      expect(facts.xfrmPolicies).toMatchObject({ value: [{ direction: 'out', action: 'block', matches: true }] });
      expect((await gather(attemptFrom(4))).xfrmPolicies).toMatchObject({ value: [{ matches: false }] });
      const known = facts.routes !== undefined && !isUnavailable(facts.routes) ? facts.routes.value : [];
      expect(known).toContainEqual(
        expect.objectContaining({ family: 4, destination: '10.77.0.0/24', protocol: 'kernel' }),
      );
      expect(known).toContainEqual(expect.objectContaining({ family: 6, destination: 'fd77::/64' }));
    });
    const neighbour = `${CLIENT_V4} lladdr 02:00:00:00:00:99 dev eth0 nud permanent`;
    await withChange(`ip neigh replace ${neighbour}`, `ip neigh del ${CLIENT_V4} dev eth0`, async () => {
      expect((await gather(attemptFrom(4))).neighbours).toMatchObject({
        value: expect.arrayContaining([
          { address: CLIENT_V4, device: 'eth0', linkAddress: '02:00:00:00:00:99', states: ['PERMANENT'] },
        ]),
      });
    });
  });

  test('a listener in another namespace, only when there is none here', async () => {
    const elsewhere = await startActor(pair.client, LISTEN, '0.0.0.0', '8445', '1');
    try {
      const attempt = { ...attemptFrom(4, CLIENT_V4), server: { address: SERVER_V4, port: 8445 } };
      const facts = await gatherFacts(host, HOST_COLLECTORS, { side: 'server', port: 8445, attempt }, undefined);
      expect(facts.otherNamespaces).toMatchObject({
        value: [{ name: pair.client, listeners: [{ address: '0.0.0.0', port: 8445 }] }],
      });
      expect((await gather(attemptFrom(4, CLIENT_V4))).otherNamespaces).toMatchObject({ value: [] });
    } finally {
      await elsewhere.end();
    }
  });
});
