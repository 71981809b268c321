import { describe, expect, test } from 'vitest';
import { ACCEPT, ctState, DROP, dport, nftJson, type TestTable } from '../../formats/nft/testing/ruleset.ts';
import type { PacketFilter } from '../../model/facts/packet-filter.ts';
import type { Facts } from './gather.ts';
import { filterOf, NFT, type Question, short } from './testing/filter-question.ts';

const QUESTION: Question = { port: 443, observed: true };
const LIMIT = { limit: { rate: 10, per: 'second', burst: 5 } };
const REPLY = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'sport' } }, right: 443 } };

type Rules = readonly (readonly unknown[])[];

async function judge(
  chains: TestTable['chains'],
  { question = QUESTION, known = {} }: { question?: Question; known?: Facts } = {},
): Promise<PacketFilter> {
  return filterOf({ [NFT]: nftJson({ chains }) }, question, { known });
}

function input(...rules: Rules): TestTable['chains'] {
  return { in: { hook: 'input', rules } };
}

describe('how sure a hit is', () => {
  test('a limit that accepts puts the drop behind it in doubt', async () => {
    const filter = await judge(input([dport(443), LIMIT, ACCEPT], [DROP]));
    expect(short(filter)).toEqual(['drop depends [rate-limit] drop']);
    expect(filter.passes).not.toContain('syn-in');
    expect(filter.blocked).toEqual([]);
  });

  test('what is not understood makes what hangs on it unknown, and no more', async () => {
    const odd = { match: { op: '==', left: { future: { key: 'x' } }, right: 1 } };
    const filter = await judge(input([odd, DROP], [dport(443), DROP]));
    expect(short(filter)).toEqual(['drop unknown [] future x 1 drop', 'drop unknown [] tcp dport 443 drop']);
    // Which rule it is cannot be told; that it is one, can.
    expect(filter.blocked).toContain('syn-in');
    expect((await judge(input([odd, { counter: null }], [dport(443), DROP]))).hits[0]).toMatchObject({
      certainty: 'certain',
    });
    expect((await judge(input([dport(80), odd, DROP], [dport(443), DROP]))).hits[0]).toMatchObject({
      certainty: 'certain',
    });
  });

  test('a statement that is not understood may do anything', async () => {
    const filter = await judge(input([dport(443), { explode: null }]));
    expect(filter.hits).toEqual([]);
    expect(filter.passes).not.toContain('syn-in');
  });

  test('ct count asks for a number of connections', async () => {
    const filter = await judge(input([dport(443), { 'ct count': { val: 20, inv: true } }, DROP]));
    expect(filter.hits[0]).toMatchObject({ certainty: 'depends', conditions: ['connection-limit'] });
  });

  test('after a chain that may only return nothing is in doubt', async () => {
    const chains = {
      in: {
        hook: 'input',
        rules: [
          [LIMIT, { jump: { target: 'log' } }],
          [dport(443), DROP],
        ],
      },
      log: { rules: [[{ log: null }], [LIMIT, { return: null }], [{ log: null }]] },
    };
    expect(short(await judge(chains))).toEqual(['drop certain [] tcp dport 443 drop']);
  });

  test('a way that leads in circles ends', async () => {
    const chains = {
      in: { hook: 'input', rules: [[{ jump: { target: 'a' } }]] },
      a: { rules: [[{ jump: { target: 'b' } }], [{ jump: { target: 'b' } }]] },
      b: { rules: [[{ jump: { target: 'a' } }], [{ jump: { target: 'a' } }]] },
    };
    expect((await judge(chains)).passes).not.toContain('syn-in');
  });
});

describe('connection tracking', () => {
  const STATEFUL = { out: { hook: 'output', policy: 'drop', rules: [[ctState('established', 'related'), ACCEPT]] } };

  test('the SYN-ACK of a tracked SYN is established', async () => {
    expect((await judge(STATEFUL)).passes).toContain('syn-ack-out');
  });

  test('of an untracked one it is invalid', async () => {
    const raw = { hook: 'prerouting', prio: -300, rules: [[dport(443), { notrack: null }]] };
    const filter = await judge({ raw, ...STATEFUL });
    expect(short(filter, 'syn-ack-out')).toEqual([
      'drop certain [] type filter hook output priority filter; policy drop;',
    ]);
    const both = { hook: 'output', prio: -300, rules: [[REPLY, { notrack: null }]] };
    const accepted = { hook: 'output', policy: 'drop', rules: [[ctState('untracked'), ACCEPT]] };
    expect((await judge({ raw, both, accepted })).passes).toContain('syn-ack-out');
  });

  test('before it looks at packets they have no state', async () => {
    const chains = {
      early: { hook: 'prerouting', prio: -300, rules: [[ctState('new'), DROP], [ctState('invalid'), ACCEPT], [DROP]] },
    };
    expect((await judge(chains)).passes).toContain('syn-in');
  });

  test('an older connection may take the SYN for a packet of its own', async () => {
    const entry = { state: 'ESTABLISHED', unreplied: false, assured: true, text: '' };
    const known: Facts = { conntrack: { value: { entries: [entry], entriesRead: true }, source: '' } };
    const chains = input([ctState('established'), ACCEPT], [DROP]);
    expect((await judge(chains, { known })).hits[0]).toMatchObject({ certainty: 'depends', conditions: ['ct-state'] });
    expect((await judge(chains)).hits[0]).toMatchObject({ certainty: 'certain' });
  });
});

describe('translation', () => {
  const redirect = { hook: 'prerouting', type: 'nat', prio: -100, rules: [[dport(443), { redirect: { port: 8443 } }]] };

  test('rules of input see the new port', async () => {
    const filter = await judge({
      redirect,
      in: {
        hook: 'input',
        rules: [
          [dport(443), DROP],
          [dport(8443), { reject: { type: 'tcp reset' } }],
        ],
      },
    });
    expect(filter.hits.slice(0, 2)).toMatchObject([
      { verdict: 'redirect', certainty: 'certain', target: { address: '192.0.2.1', port: 8443 } },
      { verdict: 'reject-reset', certainty: 'certain' },
    ]);
  });

  test('the answer leaves from the new port, and gets the old one behind the rules of output', async () => {
    const from = (port: number): unknown => ({
      match: { op: '==', left: { payload: { protocol: 'tcp', field: 'sport' } }, right: port },
    });
    const filter = await judge({
      redirect,
      out: { hook: 'output', rules: [[from(443), DROP]] },
      early: { hook: 'postrouting', prio: 0, rules: [[from(443), DROP]] },
      late: { hook: 'postrouting', prio: 150, rules: [[from(443), DROP]] },
    });
    expect(filter.hits.filter(({ packet }) => packet === 'syn-ack-out')).toMatchObject([
      { chain: 'late', certainty: 'certain' },
    ]);
  });

  test('what is sent elsewhere meets the rules of forward', async () => {
    const dnat = {
      hook: 'prerouting',
      type: 'nat',
      prio: -100,
      rules: [[dport(443), { dnat: { family: 'ip', addr: '198.51.100.99', port: 80 } }]],
    };
    const filter = await judge({
      dnat,
      in: { hook: 'input', policy: 'drop' },
      fwd: { hook: 'forward', rules: [[dport(80), DROP]] },
    });
    expect(short(filter)).toEqual([
      'dnat certain [] tcp dport 443 dnat ip to 198.51.100.99:80',
      'drop certain [] tcp dport 80 drop',
    ]);
  });

  test('tproxy hands the packet to a local socket', async () => {
    const rules = [[dport(443), { tproxy: { family: 'ip', addr: '127.0.0.1', port: 50080 } }, ACCEPT]];
    const filter = await judge({
      pre: { hook: 'prerouting', prio: -150, rules },
      fwd: { hook: 'forward', policy: 'drop' },
    });
    expect(filter.hits.slice(0, 1)).toMatchObject([
      { verdict: 'tproxy', target: { address: '127.0.0.1', port: 50080 } },
    ]);
    expect(filter.passes).toContain('syn-in');
  });
});

describe('devices', () => {
  const egress = (dev: string) => ({
    family: 'netdev',
    name: 'nd',
    chains: { out: { hook: 'egress', dev, rules: [[DROP]] } },
  });

  test('a rule of an egress hook stops the SYN-ACK on its device', async () => {
    const on = await filterOf({ [NFT]: nftJson(egress('eth0')) }, QUESTION);
    expect(short(on, 'syn-ack-out')).toEqual(['drop certain [] drop']);
    expect((await filterOf({ [NFT]: nftJson(egress('eth1')) }, QUESTION)).passes).toContain('syn-ack-out');
    // Below a bond there are others.
    const bond = {
      index: 2,
      name: 'eth0',
      kind: 'bond',
      flags: [],
      operState: 'UP',
      xdp: [],
      counters: {},
      growth: {},
    };
    const known: Facts = { links: { value: [bond], source: '' } };
    const below = await filterOf({ [NFT]: nftJson(egress('eth1')) }, QUESTION, { known });
    expect(short(below, 'syn-ack-out')).toEqual(['drop depends [] drop']);
  });

  test('what comes through the port of a bridge comes in through the bridge', async () => {
    const link = { flags: [], operState: 'UP', xdp: [], counters: {}, growth: {} };
    const links = [
      { ...link, index: 2, name: 'eth0', master: 'br0' },
      { ...link, index: 3, name: 'br0', kind: 'bridge' },
    ];
    const known: Facts = { links: { value: links, source: '' } };
    const via = (name: string): unknown => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: name } });
    const sighting = { segment: 'syn', direction: 'in', count: 1, linkDestination: 'host' } as const;
    const question: Question = {
      ...QUESTION,
      attempt: {
        sightings: [
          { ...sighting, device: 'eth0' },
          { ...sighting, device: 'br0' },
        ],
      },
    };
    expect(short(await judge(input([via('eth0'), DROP], [via('br0'), DROP]), { known, question }))).toEqual([
      'drop certain [] iifname "br0" drop',
    ]);
    expect(short(await judge(input([via('br0'), DROP]), { known }))).toEqual(['drop certain [] iifname "br0" drop']);
  });

  test('in a VRF rules may see either name', async () => {
    const link = { flags: [], operState: 'UP', xdp: [], counters: {}, growth: {} };
    const links = [
      { ...link, index: 2, name: 'eth0', vrf: 'blue', master: 'blue' },
      { ...link, index: 3, name: 'blue', kind: 'vrf' },
    ];
    const known: Facts = { links: { value: links, source: '' } };
    const via = { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth0' } };
    expect((await judge(input([via, DROP]), { known })).hits[0]).toMatchObject({ certainty: 'unknown' });
  });
});

describe('programs that decide', () => {
  const queued = (flags?: string) =>
    input([dport(443), { queue: { num: 7, ...(flags === undefined ? {} : { flags }) } }]);
  const bound: Facts = {
    nfQueues: { value: [{ number: 7, pid: 1, waiting: 0, dropped: 0, userDropped: 0 }], source: '' },
  };

  test('a queue without a program stops the SYN, unless it may be passed by', async () => {
    const filter = await judge(queued());
    expect(filter.hits[0]).toMatchObject({ verdict: 'queue', certainty: 'certain', queueNumber: 7 });
    expect(filter.blocked).toContain('syn-in');
    expect((await judge(queued('bypass'))).passes).toContain('syn-in');
  });

  test('with a program nobody knows what comes of it', async () => {
    const filter = await judge(queued('bypass'), { known: bound });
    expect(filter.hits[0]).toMatchObject({ verdict: 'queue', certainty: 'certain' });
    expect(filter.blocked).not.toContain('syn-in');
    expect(filter.passes).not.toContain('syn-in');
  });

  test('synproxy takes the SYN', async () => {
    const filter = await judge(input([dport(443), { synproxy: { mss: 1460 } }], [DROP]));
    expect(short(filter)).toEqual(['synproxy certain [] tcp dport 443 synproxy mss 1460']);
  });
});

describe('what packets are like', () => {
  const marked = { match: { op: '!=', left: { meta: { key: 'mark' } }, right: 0 } };

  test('a mark may come from traffic control', async () => {
    expect((await judge(input([marked, DROP]))).passes).toContain('syn-in');
    const tc = {
      device: 'eth0',
      where: 'ingress',
      kind: 'bpf',
      text: '',
      dropped: 0,
      overlimits: 0,
      droppedDelta: 0,
      overlimitsDelta: 0,
    } as const;
    const known: Facts = { trafficControl: { value: [tc], source: '' } };
    expect((await judge(input([marked, DROP]), { known })).hits[0]).toMatchObject({
      certainty: 'depends',
      conditions: ['mark'],
    });
  });

  test('the owner of the listener owns the SYN-ACK', async () => {
    const uid = (id: number): unknown => ({ match: { op: '==', left: { meta: { key: 'skuid' } }, right: id } });
    const filter = await judge({
      out: {
        hook: 'output',
        rules: [
          [uid(33), DROP],
          [uid(0), DROP],
        ],
      },
    });
    expect(short(filter, 'syn-ack-out')).toEqual(['drop certain [owner] meta skuid 0 drop']);
    const unknown: Facts = { sockets: { unavailable: 'no-permission', reason: '' } };
    const unsure = await judge({ out: { hook: 'output', rules: [[uid(33), DROP]] } }, { known: unknown });
    expect(unsure.hits[0]).toMatchObject({ certainty: 'depends', conditions: ['owner'] });
  });

  test('over loopback every packet is sent and received', async () => {
    const known: Facts = {
      outgoingRoute: { value: { command: [], question: '', ok: true, type: 'local', device: 'lo' }, source: '' },
    };
    const question: Question = { port: 443, client: '127.0.0.1', server: '127.0.0.1', attempt: { inDevice: 'lo' } };
    const filter = await judge(
      input([{ match: { op: '==', left: { meta: { key: 'iif' } }, right: 'lo' } }, ACCEPT], [DROP]),
      { question, known },
    );
    expect(filter.passes).toEqual(['syn-out', 'syn-in', 'syn-ack-out', 'syn-ack-in', 'ack-out', 'ack-in']);
  });

  test('a client sends a SYN and gets the answer', async () => {
    const filter = await judge(
      {
        out: { hook: 'output', rules: [[dport(443), DROP]] },
        in: { hook: 'input', rules: [[ctState('established'), ACCEPT], [DROP]] },
      },
      { question: { port: 443, side: 'client' } },
    );
    expect(short(filter, 'syn-out')).toEqual(['drop certain [] tcp dport 443 drop']);
    expect(filter.blocked).toEqual(['syn-out', 'ack-out']);
  });

  test('of an attempt whose client nobody knows, addresses decide nothing', async () => {
    const from = { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '198.51.100.20' } };
    const question: Question = { port: 443, client: '0.0.0.0' };
    expect((await judge(input([from, DROP]), { question })).hits[0]).toMatchObject({ certainty: 'unknown' });
  });
});
