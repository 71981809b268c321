import { describe, expect, it, test } from 'vitest';
import { cutEverywhere, flipEveryBit } from '../wire/testing/damage.ts';
import { decodeAddress, encodeAddress } from './address.ts';
import { decodeAnswer } from './answer.ts';
import {
  attribute,
  be32,
  be64,
  decodeAttributes,
  encodeAttributes,
  find,
  findNetworkNumber,
  findNumber,
  findText,
  nested,
  u8,
  u16,
  u32,
  zeroEnded,
} from './attributes.ts';
import { decodeDiagSocket, encodeDestroy, encodeDiagDump, TCP_STATES } from './inet-diag.ts';
import { decodeLink, encodeLink } from './link.ts';
import { decodeMessages, encodeRequests, type NetlinkMessage } from './message.ts';
import { decodeNeighbour, encodeNeighbour, NUD_PERMANENT } from './neighbour.ts';
import { decodeNexthop } from './nexthop.ts';
import { decodeChain, decodeElements, decodeNftRule, decodeSet, decodeTable } from './nftables.ts';
import { decodeRoute, encodeRoute, routeAgain } from './route.ts';
import { RTM_NEWADDR, RTM_NEWNEIGH, RTM_NEWROUTE } from './rtnetlink.ts';
import { decodeRule } from './rule.ts';
import dumps from './testing/dumps.json' with { type: 'json' };

/** Dumps of a namespace of Linux 6.18; how it was made is told by what the tests expect. */
function recorded(name: keyof typeof dumps): Uint8Array {
  return Uint8Array.from(Buffer.from(dumps[name], 'base64'));
}

function messages(name: keyof typeof dumps): readonly NetlinkMessage[] {
  const { messages: all, damage } = decodeMessages(recorded(name));
  expect(damage).toBeUndefined();
  return all;
}

function bare<T extends { attributes: unknown }>(value: T | undefined): Omit<T, 'attributes'> {
  expect(value).toBeDefined();
  const { attributes: _, ...rest } = value as T;
  return rest;
}

const DECODERS = [
  decodeLink,
  decodeAddress,
  decodeRoute,
  decodeRule,
  decodeNeighbour,
  decodeNexthop,
  decodeDiagSocket,
  decodeTable,
  decodeChain,
  decodeNftRule,
  decodeSet,
  decodeElements,
  decodeAnswer,
];

describe('messages', () => {
  it('come back as they were sent', () => {
    const bytes = encodeRequests(
      [
        { type: 24, flags: 0x400, body: Uint8Array.of(1, 2, 3) },
        { type: 25, flags: 0, body: new Uint8Array(0) },
      ],
      7,
    );
    expect(bytes.length).toBe(20 + 16);
    expect(decodeMessages(bytes)).toEqual({
      messages: [
        { type: 24, flags: 0x401, sequence: 7, body: Uint8Array.of(1, 2, 3) },
        { type: 25, flags: 1, sequence: 8, body: new Uint8Array(0) },
      ],
    });
  });

  it('are told to be cut or malformed', () => {
    const bytes = encodeRequests([{ type: 24, flags: 0, body: Uint8Array.of(1, 2, 3, 4) }], 1);
    expect(decodeMessages(bytes.subarray(0, 10))).toEqual({ messages: [], damage: 'cut' });
    expect(decodeMessages(bytes.subarray(0, 18))).toEqual({ messages: [], damage: 'cut' });
    bytes[0] = 3;
    expect(decodeMessages(bytes)).toEqual({ messages: [], damage: 'malformed' });
  });

  it.each(Object.keys(dumps) as (keyof typeof dumps)[])('%s survive every cut and every flipped bit', (name) => {
    const all = recorded(name);
    // A few messages of a kind show what all of them do.
    const bytes = all.subarray(0, Math.min(all.length, 600));
    const decode = (view: DataView): void => {
      const { messages: found } = decodeMessages(new Uint8Array(view.buffer));
      for (const message of found) for (const decoder of DECODERS) decoder(message);
    };
    cutEverywhere(bytes, decode);
    flipEveryBit(bytes, decode);
  });
});

describe('attributes', () => {
  it('are padded, nested, and keep what they do not know', () => {
    const bytes = encodeAttributes([
      attribute(1, zeroEnded('eth0')),
      attribute(2, u8(7)),
      attribute(3, u16(0x1234)),
      attribute(4, u32(0xffff_fffe)),
      nested(5, [attribute(6, be32(5)), attribute(7, be64(1n << 40n))]),
      { type: 999, flags: 0x4000, value: Uint8Array.of(9, 9, 9) },
    ]);
    expect(bytes.length % 4).toBe(0);
    const list = decodeAttributes(bytes);
    expect(findText(list, 1)).toBe('eth0');
    expect([2, 3, 4].map((type) => findNumber(list, type))).toEqual([7, 0x1234, 0xffff_fffe]);
    const inner = decodeAttributes(find(list, 5)!);
    expect([6, 7].map((type) => findNetworkNumber(inner, type))).toEqual([5, 2 ** 40]);
    expect(list.at(-1)).toEqual({ type: 999, flags: 0x4000, value: Uint8Array.of(9, 9, 9) });
    expect(encodeAttributes(list)).toEqual(bytes);
  });

  it('end at a length that cannot be', () => {
    const bytes = encodeAttributes([attribute(1, u32(1)), attribute(2, u32(2))]);
    bytes[8] = 200;
    expect(decodeAttributes(bytes).map(({ type }) => type)).toEqual([1]);
  });

  test('of every recorded message are written as they were read', () => {
    for (const [name, head] of [
      ['links', 16],
      ['routesV4', 12],
      ['nftrules', 4],
      ['nftsets', 4],
    ] as const) {
      for (const { body } of messages(name)) {
        expect(encodeAttributes(decodeAttributes(body, head), body.slice(0, head))).toEqual(body);
      }
    }
  });
});

describe('what the kernel answers', () => {
  it('is an errno, with words where it has any', () => {
    const words = encodeAttributes([attribute(1, zeroEnded('Nexthop has invalid gateway')), attribute(2, u32(44))]);
    const body = (errno: number, more: Uint8Array): Uint8Array =>
      Uint8Array.from([...u32(-errno), ...u32(16), ...new Uint8Array(12), ...more]);
    const told = (flags: number, more: Uint8Array): ReturnType<typeof decodeAnswer> =>
      decodeAnswer({ type: 2, flags, sequence: 1, body: body(113, more) });
    expect(told(0x300, words)).toEqual({ errno: 113, message: 'Nexthop has invalid gateway', offset: 44 });
    expect(told(0x100, new Uint8Array(0))).toEqual({ errno: 113 });
    expect(decodeAnswer({ type: 2, flags: 0x100, sequence: 1, body: body(0, new Uint8Array(0)) })).toEqual({
      errno: 0,
    });
    expect(decodeAnswer({ type: 3, flags: 0, sequence: 1, body: u32(0) })).toEqual({ errno: 0 });
    expect(decodeAnswer({ type: 24, flags: 0, sequence: 1, body: u32(0) })).toBeUndefined();
  });
});

describe('rtnetlink', () => {
  it('tells interfaces', () => {
    const links = messages('links').map((message) => bare(decodeLink(message)));
    expect(links.map(({ name, kind }) => [name, kind])).toEqual([
      ['lo', undefined],
      ['br0', 'bridge'],
      ['veth1', 'veth'],
      ['veth0', 'veth'],
    ]);
    const [lo, bridge, , port] = links;
    expect(lo).toMatchObject({ index: 1, hardwareType: 772, isUp: true, hasCarrier: true, mtuBytes: 65_536 });
    expect(bridge).toMatchObject({ mac: '02:00:00:00:00:b0', isUp: true });
    expect(port).toMatchObject({ master: bridge?.index, mac: '02:00:00:00:00:01', bridgePortState: 3 });
  });

  it('tells addresses', () => {
    const addresses = messages('addresses').map((message) => bare(decodeAddress(message)));
    const one = (address: string): object | undefined => addresses.find((each) => each.address === address);
    expect(one('192.0.2.1')).toMatchObject({ family: 2, prefixLength: 24, label: 'br0' });
    expect(one('192.0.2.1')).not.toHaveProperty('peer');
    expect(one('198.51.100.1')).toMatchObject({ peer: '198.51.100.2', prefixLength: 32 });
    expect(one('2001:db8::1')).toMatchObject({ family: 10, prefixLength: 64 });
  });

  it('tells routes of both families', () => {
    const routes = [...messages('routesV4'), ...messages('routesV6')].map((message) => bare(decodeRoute(message)));
    const one = (destination: string | undefined, family = 2): (typeof routes)[number] | undefined =>
      routes.find((route) => route.destination === destination && route.family === family && route.type !== 2);
    expect(one(undefined)).toMatchObject({
      destinationLength: 0,
      metric: 100,
      table: 254,
      nexthops: [{ gateway: '192.0.2.254', weight: 1 }],
    });
    expect(one('203.0.113.0')).toMatchObject({ type: 6, destinationLength: 24, nexthops: [] });
    expect(one('203.0.113.128')?.nexthops).toMatchObject([
      { gateway: '192.0.2.7', weight: 3 },
      { gateway: '192.0.2.8', weight: 1 },
    ]);
    expect(one('100.64.0.0')).toMatchObject({ table: 1234, nexthopId: 7 });
    expect(one('10.0.0.0')?.nexthops).toMatchObject([{ gateway: '2001:db8::9' }]);
    expect(one(undefined, 10)?.expires).toBeGreaterThan(50_000);
    expect(one('2001:db8:dead::', 10)).toMatchObject({ type: 7 });
  });

  it('makes the same route again from a message of a dump', () => {
    for (const message of [...messages('routesV4'), ...messages('routesV6')]) {
      const before = decodeRoute(message);
      const after = decodeRoute({ ...message, body: routeAgain(message.body) });
      const { attributes: _, expires: __, flags: ___, nexthops, ...rest } = before!;
      expect(after).toMatchObject({ ...rest, nexthops: nexthops.map(({ flags: ____, ...hop }) => hop) });
      expect(after).not.toHaveProperty('expires');
    }
  });

  it('tells rules', () => {
    const rules = [...messages('rulesV4'), ...messages('rulesV6')].map((message) => bare(decodeRule(message)));
    const one = (priority: number): object | undefined => rules.find((rule) => rule.priority === priority);
    expect(one(100)).toMatchObject({
      from: '192.0.2.0',
      fromLength: 24,
      to: '203.0.113.5',
      toLength: 32,
      table: 1234,
      action: 1,
    });
    expect(one(101)).toMatchObject({
      inverted: true,
      mark: 0x10,
      markMask: 0xff,
      inDevice: 'br0',
      ipProtocol: 6,
      action: 7,
    });
    expect(one(102)).toMatchObject({ suppressPrefixLength: 0, table: 254 });
    expect(one(103)).toMatchObject({ family: 10, outDevice: 'veth1', goto: 32_766, action: 2 });
  });

  it('tells neighbours and next hop objects', () => {
    const neighbours = messages('neighbours').flatMap((message) => decodeNeighbour(message) ?? []);
    expect(neighbours.find(({ address }) => address === '192.0.2.77')).toMatchObject({
      state: NUD_PERMANENT,
      mac: '02:00:00:00:00:77',
    });
    expect(neighbours.find(({ address }) => address === '2001:db8::77')).toMatchObject({ flags: 0x80 });
    const nexthops = messages('nexthops').map((message) => bare(decodeNexthop(message)));
    expect(nexthops.map(({ id }) => id)).toEqual([6, 7, 8, 9]);
    expect(nexthops[1]).toMatchObject({ gateway: '192.0.2.9', isBlackhole: false });
    expect(nexthops[2]?.group).toEqual([
      { id: 7, weight: 5 },
      { id: 6, weight: 2 },
    ]);
    expect(nexthops[3]?.isBlackhole).toBe(true);
  });

  it('writes what it reads', () => {
    const message = (type: number, body: Uint8Array): NetlinkMessage => ({ type, flags: 0, sequence: 0, body });
    const v4 = Uint8Array.of(192, 0, 2, 1);
    expect(
      decodeAddress(message(RTM_NEWADDR, encodeAddress({ linkIndex: 3, address: v4, prefixLength: 24, flags: 0x280 }))),
    ).toMatchObject({
      linkIndex: 3,
      address: '192.0.2.1',
      prefixLength: 24,
      flags: 0x280,
    });
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
    expect(
      decodeNeighbour(message(RTM_NEWNEIGH, encodeNeighbour({ linkIndex: 3, address: v4, state: 0x80, mac }))),
    ).toMatchObject({
      linkIndex: 3,
      address: '192.0.2.1',
      state: 0x80,
      mac: '02:00:00:00:00:01',
    });
    const route = encodeRoute({
      family: 4,
      destination: v4,
      destinationLength: 32,
      gateway: Uint8Array.of(192, 0, 2, 9),
      linkIndex: 3,
      table: 1000,
      metric: 5,
      onLink: true,
    });
    expect(decodeRoute(message(RTM_NEWROUTE, route))).toMatchObject({
      destination: '192.0.2.1',
      table: 1000,
      metric: 5,
      flags: 4,
      nexthops: [{ gateway: '192.0.2.9', linkIndex: 3 }],
    });
    expect(encodeLink({ index: 5, flags: 1, changedFlags: 1 }).length).toBe(16);
  });
});

describe('inet_diag', () => {
  it('tells listeners and connections, and what tells one socket from all others', () => {
    const sockets = messages('socketsV4').map((message) => decodeDiagSocket(message)!);
    const listener = sockets.find(({ state }) => state === TCP_STATES.listen)!;
    expect(listener).toMatchObject({ local: { address: '192.0.2.1', port: 8080 }, remote: { port: 0 }, sendQueue: 5 });
    const [connection] = sockets.filter(({ state }) => state === TCP_STATES.established);
    expect(connection?.remote.address).toBe('192.0.2.1');
    expect(encodeDestroy(listener).subarray(8)).toEqual(listener.identity);
    expect(listener.identity.length).toBe(48);
    const [v6] = messages('socketsV6').map((message) => decodeDiagSocket(message)!);
    expect(v6).toMatchObject({ family: 10, local: { address: '::', port: 9090 }, v6Only: true, sendQueue: 7 });
    expect(encodeDiagDump(6, [TCP_STATES.listen])[0]).toBe(10);
  });
});

describe('nftables', () => {
  it('tells tables, chains and policies', () => {
    expect(messages('nfttables').map((message) => bare(decodeTable(message)))).toMatchObject([
      { family: 1, table: 'fw', flags: 0 },
      { family: 2, table: 'filter' },
    ]);
    const chains = messages('nftchains').map((message) => bare(decodeChain(message)));
    expect(chains.map(({ name, policy, hook }) => [name, policy, hook])).toEqual([
      ['input', 0, 1],
      ['other', undefined, undefined],
      ['INPUT', 1, 1],
    ]);
  });

  it('tells rules by what they are made of', () => {
    const rules = messages('nftrules').map((message) => bare(decodeNftRule(message)));
    const inner = rules.filter(({ chain }) => chain === 'input');
    expect(inner.map(({ sets }) => sets[0])).toEqual([undefined, '__set0', 'bad', 'ports', 'seen', undefined]);
    expect(inner.map(({ verdict }) => verdict)).toEqual([1, 1, 0, undefined, 1, -3]);
    expect(inner.at(-1)?.targets).toEqual(['other']);
    expect(new Set(inner.map(({ handle }) => handle)).size).toBe(6);
    expect(rules.find(({ table }) => table === 'filter')?.expressions).toEqual([
      'meta',
      'cmp',
      'match',
      'match',
      'counter',
      'immediate',
    ]);
  });

  it('tells sets and their elements', () => {
    const sets = messages('nftsets').map((message) => bare(decodeSet(message)));
    expect(sets.map(({ name }) => name)).toEqual(['bad', 'pairs', 'ports', 'seen', '__set0']);
    const elements = messages('nftElements-bad').flatMap(decodeElements);
    const texts = elements.map(({ key, isIntervalEnd }) => `${key.join('.')}${isIntervalEnd ? ' end' : ''}`);
    expect(texts).toEqual(['203.0.114.0 end', '203.0.113.0', '198.51.100.10 end', '198.51.100.9', '0.0.0.0 end']);
    const [pair] = messages('nftElements-pairs').flatMap(decodeElements);
    expect([pair?.key.slice(0, 6), pair?.keyEnd?.slice(0, 6)]).toEqual([
      Uint8Array.of(10, 0, 0, 0, 0, 80),
      Uint8Array.of(10, 255, 255, 255, 0, 90),
    ]);
    expect(messages('nftElements-ports').flatMap(decodeElements).length).toBe(2);
  });
});
