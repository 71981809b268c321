import { describe, expect, it } from 'vitest';
import { readBundle } from '../host/bundle/bundle-file.ts';
import { BundleHost } from '../host/bundle/bundle-host.ts';
import { ScriptedHost } from '../host/testing/scripted-host.ts';
import { completeSyn } from './complete-syn.ts';
import { hasState, isUntrusted, nftInput } from './filter-text.ts';
import { isOffloaded, removeSignature, repairTcpChecksum, SYN_OPTIONS, shapeOf, TCP_SYN, tcpFrame } from './frames.ts';
import { IpBatch } from './ip-batch.ts';
import { answeredAddress, askNeighbour, linkLocalOf, neighbourAnswer, neighbourQuestion } from './neighbour-frames.ts';
import { hasXtables, tablesOf } from './read-filters.ts';
import { routesOf, rulesOf, spelledOut } from './read-routes.ts';
import { snapshotHost } from './snapshot.ts';
import { type HostState, STATE_VERSION } from './state.ts';
import { withSourcePort } from './vary-syn.ts';
import { STRANGER, World } from './world.ts';

const SYN = {
  sourceMac: '02:00:00:00:00:01',
  destinationMac: '02:00:00:00:00:02',
  source: '198.51.100.7',
  destination: '10.77.0.1',
  sourcePort: 40_000,
  destinationPort: 443,
  flags: TCP_SYN,
  sequence: 7,
  options: SYN_OPTIONS,
};
const SYN_V6 = { ...SYN, source: '2001:db8::7', destination: 'fd77::1' };

function fixture(name: string): Promise<BundleHost> {
  const path = new URL(`../../fixtures/lab/${name}`, import.meta.url).pathname;
  return readBundle(path).then((bundle) => new BundleHost(bundle, `bundle:${name}`));
}

const EMPTY: HostState = {
  version: STATE_VERSION,
  on: 'x',
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  neighbours: [],
  nexthops: [],
  iptables: [],
  sysctls: {},
  sockets: [],
  xfrmPolicies: [],
  qdiscs: [],
  filterHooks: [],
  bpfPrograms: [],
  conntrack: {},
  notRead: [],
};
const HOST: HostState = {
  ...EMPTY,
  links: [{ index: 2, name: 'eth0', linkAddress: '02:00:00:00:00:02', flags: ['UP'], operState: 'UP', xdp: [] }],
  addresses: [{ family: 4, address: '10.77.0.1', prefixLength: 24, device: 'eth0', scope: 'global', flags: [] }],
  neighbours: [
    { address: '10.77.0.254', device: 'eth0', linkAddress: '02:00:00:00:00:fd', states: ['REACHABLE'] },
    { address: '10.77.0.9', device: 'eth0', states: ['FAILED'] },
    { address: '10.77.0.8', device: 'eth0', linkAddress: '02:00:00:00:00:08', states: ['PERMANENT'] },
  ],
};

describe('frames', () => {
  it.each([SYN, SYN_V6])('have right checksums, and keep them when the port changes', (fields) => {
    const frame = tcpFrame(fields);
    const again = Buffer.from(frame);
    repairTcpChecksum(again);
    expect(again).toEqual(frame);
    const syn = completeSyn(
      { family: fields === SYN ? 4 : 6, ...fields, frame: frame.toString('hex') },
      HOST,
      new World(HOST),
      ['eth0'],
    );
    expect(withSourcePort(syn, 999).frame).toEqual(tcpFrame({ ...fields, sourcePort: 999 }));
  });

  it('with a checksum that the card was to fill in are repaired; with a wrong one they are not', () => {
    const frame = tcpFrame(SYN);
    const { transport } = shapeOf(frame);
    expect(isOffloaded(frame)).toBe(false);
    frame.writeUInt16BE(frame.readUInt16BE(transport + 16) ^ 0x55, transport + 16);
    expect(isOffloaded(frame)).toBe(false);
    const kept = completeSyn({ family: 4, ...SYN, frame: frame.toString('hex') }, HOST, new World(HOST), ['eth0']);
    expect(kept.frame).toEqual(frame);
  });

  it('of any length and content are never read beyond their end', () => {
    const frame = tcpFrame(SYN_V6);
    for (let length = 0; length <= frame.length; length++) {
      const cut = frame.subarray(0, length);
      shapeOf(cut);
      isOffloaded(cut);
      removeSignature(Buffer.from(cut));
      expect(neighbourQuestion(cut)).toBeUndefined();
      expect(answeredAddress(cut)).toBeUndefined();
    }
  });

  it('lose the signature of TCP-MD5', () => {
    const md5 = Buffer.concat([Buffer.from([19, 18]), Buffer.alloc(16, 0xaa), Buffer.from([1, 1])]);
    const frame = tcpFrame({ ...SYN, options: md5 });
    expect(removeSignature(frame)).toBe(true);
    expect(frame).toEqual(tcpFrame({ ...SYN, options: Buffer.alloc(20, 1) }));
  });

  it.each(['10.77.0.1', 'fd77::1'])('ask for %s and answer', (target) => {
    const asker = {
      mac: '02:00:00:00:00:01',
      address: target.includes(':') ? linkLocalOf('02:00:00:00:00:01') : '10.77.0.5',
    };
    const question = neighbourQuestion(askNeighbour(target, asker));
    expect(question).toMatchObject({ target, sourceMac: asker.mac });
    expect(answeredAddress(neighbourAnswer(question!, '02:00:00:00:00:02'))).toBe(target);
  });
});

describe('the outside world', () => {
  const world = new World(HOST);
  const far = completeSyn({ family: 4, ...SYN, sourceMac: '02:00:00:00:00:fd', device: 'eth0' }, HOST, world, ['eth0']);
  const near = completeSyn({ family: 4, ...SYN, source: '10.77.0.8', device: 'eth0' }, HOST, world, ['eth0']);

  it('answers for whom the host knew, never for the dead, and says what it assumes', () => {
    const assumed = new Set<string>();
    expect(world.answererOf('eth0', '10.77.0.254', far, assumed)).toBe('02:00:00:00:00:fd');
    expect(world.answererOf('eth0', '10.77.0.9', far, assumed)).toBeUndefined();
    // The client is behind the router, so nobody has its address on the link.
    expect(world.answererOf('eth0', '198.51.100.7', far, assumed)).toBeUndefined();
    expect([...assumed]).toEqual([]);
    expect(world.answererOf('eth0', '10.77.0.77', far, assumed)).toBe('02:00:00:00:00:fd');
    expect([...assumed]).toEqual(['10.77.0.77 on eth0 is the router that delivered the SYN']);
    expect(world.answererOf('eth1', '10.78.0.1', far, assumed)).toBe(STRANGER);
    world.setAnswers('eth0 10.77.0.9', true);
    expect(world.answererOf('eth0', '10.77.0.9', far, assumed)).toBe('02:00:00:00:00:fd');
    world.setAnswers('eth0 10.77.0.9', false);
  });

  it('believes a permanent entry, unless the SYN shows that it is wrong', () => {
    expect(world.isAlive('02:00:00:00:00:08', far)).toBe(true);
    expect(world.isOnlyWritten('02:00:00:00:00:08', far)).toBe(true);
    expect(near.isRouted).toBe(false);
    expect(world.isAlive('02:00:00:00:00:08', near)).toBe(false);
    expect(world.isAlive('02:00:00:00:00:77', far)).toBe(false);
  });
});

describe('commands of ip', () => {
  it('are made of single words: nothing that a state holds begins another command', () => {
    const batch = new IpBatch();
    expect(batch.add('route append 10.0.0.0/8 via 10.77.0.254 dev eth0.100@x')).toBe(true);
    for (const word of ['a\nnetns exec x sh', '"a', "b'", 'c;d', '`e`', '$(f)', 'g\\', 'h\0', `i${'i'.repeat(128)}`]) {
      expect(batch.add(`link set dev ${word} up`), word).toBe(false);
    }
  });

  it('make the routes again that ip shows', () => {
    const json = JSON.stringify([
      {
        dst: 'default',
        gateway: 'fe80::1',
        dev: 'eth0',
        protocol: 'ra',
        metric: 100,
        flags: ['onlink'],
        expires: -5,
        pref: 'high',
      },
      { type: 'unreachable', dst: '9.9.9.0/24', table: '100', flags: [] },
      {
        dst: '5.5.0.0/16',
        flags: [],
        nexthops: [
          { gateway: '10.0.0.2', dev: 'a', weight: 2, flags: [] },
          { gateway: '10.0.0.3', dev: 'a', weight: 1, flags: ['linkdown'] },
        ],
      },
      { type: 'prohibit', dst: '2001:db8::/32', dev: 'lo', metric: 1024, flags: [], pref: 'medium' },
      {
        dst: '7.7.7.0/24',
        via: { family: 'inet6', host: 'fe80::5' },
        dev: 'b',
        table: 'blue',
        flags: [],
        metrics: [{ mtu: 1400 }],
      },
      { dst: '6.6.6.0/24', nhid: 7, gateway: '10.9.0.9', dev: 'b', flags: [] },
    ]);
    const routes = routesOf(json, new Map([['blue', '42']])) ?? [];
    expect(routes.map(spelledOut)).toEqual([
      '::/0 via fe80::1 dev eth0 onlink proto ra metric 100 pref high',
      'unreachable 9.9.9.0/24 table 100',
      '5.5.0.0/16 nexthop via 10.0.0.2 dev a weight 2 nexthop via 10.0.0.3 dev a weight 1',
      'prohibit 2001:db8::/32 metric 1024',
      '7.7.7.0/24 via inet6 fe80::5 dev b table 42 mtu 1400',
      '6.6.6.0/24 nhid 7',
    ]);
    expect(routes.map(({ isExpired }) => isExpired)).toEqual([true, false, false, false, false, false]);
    const rules = rulesOf(
      '0:\tfrom all lookup local\n5:\tnot from all fwmark 0x1/0xff iif x [detached] lookup blue proto static\n9:\tfrom all lookup [l3mdev-table]\n',
      4,
      new Map([['blue', '42']]),
    );
    expect(rules.map(({ priority, line }) => `${priority} ${line}`)).toEqual([
      '0 from all lookup local',
      '5 not from all fwmark 0x1/0xff iif x lookup 42 protocol static',
      '9 from all l3mdev',
    ]);
  });
});

describe('rules of filters', () => {
  const TEXT = `table ip filter { # handle 1
\tchain INPUT { # handle 1
\t\ttype filter hook input priority filter; policy accept;
\t\txt match "recent" counter packets 0 bytes 0 drop # handle 3
\t}

\tchain mine { # handle 2
\t\ttcp dport 5 drop comment "xt match fake" # handle 4
\t}
}
table inet fw { # handle 2
\tchain c { # handle 1
\t\tlimit rate 5/second accept # handle 2
\t}
}
`;

  it('that nft cannot write are left to iptables, the rest of the table is not', () => {
    expect(tablesOf(TEXT).map(({ family, name, text }) => [family, name, hasXtables(text)])).toEqual([
      ['ip', 'filter', true],
      ['inet', 'fw', false],
    ]);
    const state: HostState = {
      ...EMPTY,
      nft: { form: 'text', text: TEXT },
      iptables: [{ tool: 'iptables-nft', family: 4, text: '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n' }],
    };
    const input = nftInput(state);
    expect(input?.pieces.map(({ name }) => name)).toEqual(['nftables table ip filter', 'nftables table inet fw']);
    expect(input?.text).toContain('chain mine');
    expect(input?.text).not.toContain('chain INPUT');
    expect(hasState(state)).toBe(true);
    expect(hasState(EMPTY)).toBe(false);
  });

  it('may not read files', () => {
    expect(isUntrusted('table ip x {\n\tinclude "/etc/shadow"\n}')).toBe(true);
    expect(isUntrusted(TEXT)).toBe(false);
  });
});

describe('the state of a recording', () => {
  it('holds everything that an older recording has', async () => {
    const state = await snapshotHost(await fixture('no-return-route.v4.server.synscope'), {});
    expect(state.links.map(({ name }) => name)).toContain('lo');
    expect(state.routes.length).toBeGreaterThan(3);
    expect(state.nft?.form).toBe('json');
    expect(state.sysctls['ipv4/ip_forward']).toBe('0');
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it('is refused when the routes are not in it: a copy without routes is always silent', async () => {
    await expect(snapshotHost(await fixture('plain.v4.server.synscope'), {})).rejects.toMatchObject({
      name: 'HostError',
      hint: expect.stringContaining('record it again'),
    });
  });

  it('is refused when nothing is known', async () => {
    await expect(snapshotHost(new ScriptedHost({}), {})).rejects.toThrow(/interfaces|routes/);
  });
});
