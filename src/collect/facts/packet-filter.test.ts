import { describe, expect, test } from 'vitest';
import type { Facts } from './gather.ts';
import { filterOf, fixture, iptablesFixture, NFT, short } from './testing/filter-question.ts';

describe('rule sets as they are found', () => {
  test('ufw', async () => {
    const ufw = iptablesFixture('ufw');
    const open = await filterOf(ufw, { port: 22 });
    expect(short(open)).toEqual([
      'drop depends [ct-invalid] -A ufw-before-input -m conntrack --ctstate INVALID -j DROP',
    ]);
    expect(open.tools).toEqual(['nft', 'iptables']);
    expect(open.blocked).toEqual([]);
    expect(open.passes).toContain('syn-ack-out');

    const closed = await filterOf(ufw, { port: 8443 });
    expect(short(closed).at(-1)).toBe('drop certain [] -P INPUT DROP');
    expect(closed.blocked).toContain('syn-in');
    expect(closed.hits.find(({ certainty }) => certainty === 'certain')).toMatchObject({
      tool: 'iptables',
      family: 'ip',
      table: 'filter',
      chain: 'INPUT',
      hook: 'input',
      policy: true,
      packets: 0,
    });

    expect(short(await filterOf(ufw, { port: 22, client: '203.0.113.9' })).at(-1)).toBe(
      'drop certain [] -A ufw-user-input -s 203.0.113.0/24 -j DROP',
    );
    expect(short(await filterOf(ufw, { port: 25 })).at(-1)).toBe(
      'reject-reset certain [] -A ufw-user-input -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset',
    );
    const limited = await filterOf(ufw, { port: 2222 });
    expect(short(limited).at(-1)).toBe(
      'reject-icmp depends [rate-limit ct-new] -A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable',
    );
    expect(limited.passes).not.toContain('syn-in');
    expect(limited.blocked).toEqual([]);
  });

  test('firewalld', async () => {
    const firewalld = { [NFT]: fixture('nft/firewalld.json') };
    const open = await filterOf(firewalld, { port: 22 });
    expect(short(open)).toEqual(['drop depends [ct-invalid] ct state invalid drop']);
    expect(open.tools).toEqual(['nft']);
    expect(open.passes).toEqual(['syn-ack-out']);
    const closed = await filterOf(firewalld, { port: 8443 });
    expect(closed.hits.at(-2)).toMatchObject({
      packet: 'syn-in',
      verdict: 'reject-icmp',
      certainty: 'certain',
      rejectWith: 'admin-prohibited',
      chain: 'filter_IN_public',
      hook: 'input',
      priority: 10,
      text: 'reject with icmpx admin-prohibited',
    });
    expect(short(await filterOf(firewalld, { port: 443, client: '203.0.113.9' })).at(-1)).toBe(
      'drop certain [ct-new] ip saddr 203.0.113.0/24 tcp dport 443 ct state { new, untracked } drop',
    );
    // A rate that is let through, and a rejection behind it.
    expect(short(await filterOf(firewalld, { port: 5432 })).at(-1)).toBe(
      'reject-icmp depends [rate-limit] reject with icmpx admin-prohibited',
    );
  });

  test('the reverse path check of firewalld, over IPv6', async () => {
    const firewalld = { [NFT]: fixture('nft/firewalld.json') };
    const question = { port: 22, client: '2001:db8:1::2', server: '2001:db8:2::2' };
    expect(short(await filterOf(firewalld, question))).toEqual(['drop depends [ct-invalid] ct state invalid drop']);
    const unroutable: Facts = {
      outgoingRoute: {
        value: { command: [], question: '', ok: false, failure: 'no-route', message: 'Network is unreachable' },
        source: '',
      },
    };
    expect(short(await filterOf(firewalld, question, { known: unroutable }))).toEqual([
      'drop certain [reverse-path] meta nfproto ipv6 fib saddr . mark . iif oif missing drop',
    ]);
    const elsewhere: Facts = {
      outgoingRoute: { value: { command: [], question: '', ok: true, device: 'eth1' }, source: '' },
    };
    expect(short(await filterOf(firewalld, question, { known: elsewhere }))[0]).toBe(
      'drop depends [reverse-path] meta nfproto ipv6 fib saddr . mark . iif oif missing drop',
    );
  });

  const bridge: Facts = {
    routes: {
      value: [
        {
          family: 4,
          table: 'main',
          type: 'unicast',
          destination: '172.17.0.0/16',
          nextHops: [{ device: 'docker0', flags: [] }],
        },
        {
          family: 4,
          table: 'main',
          type: 'unicast',
          destination: '0.0.0.0/0',
          nextHops: [{ device: 'eth0', flags: [] }],
        },
      ],
      source: '',
    },
  };

  test('Docker', async () => {
    const docker = iptablesFixture('docker');
    const published = await filterOf(docker, { port: 8080 }, { known: bridge });
    expect(published.hits).toMatchObject([
      { packet: 'syn-in', verdict: 'dnat', certainty: 'certain', target: { address: '172.17.0.2', port: 80 } },
    ]);
    // The answer comes out of the bridge and is passed on: rules of output never see it.
    expect(published.passes).toEqual(['syn-in', 'syn-ack-out', 'ack-in']);
    const shut = iptablesFixture('docker');
    shut['iptables-nft-save -c'] = fixture('iptables/docker.save').replaceAll(':OUTPUT ACCEPT', ':OUTPUT DROP');
    expect((await filterOf(shut, { port: 8080 }, { known: bridge })).passes).toContain('syn-ack-out');
    expect((await filterOf(shut, { port: 22 }, { known: bridge })).blocked).toEqual(['syn-ack-out']);
    const forgotten = await filterOf(docker, { port: 8081 }, { known: bridge });
    expect(short(forgotten)).toEqual([
      'dnat certain [] -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.3:80',
      'drop certain [] -P FORWARD DROP',
    ]);
    const barred = await filterOf(docker, { port: 8080, client: '203.0.113.9' }, { known: bridge });
    expect(short(barred).at(-1)).toBe('drop certain [] -A DOCKER-USER -s 203.0.113.0/24 -i eth0 -j DROP');
    expect(short(await filterOf(docker, { port: 22 }, { known: bridge }))).toEqual([]);
  });

  const pods: Facts = {
    routes: {
      value: [
        {
          family: 4,
          table: 'main',
          type: 'unicast',
          destination: '10.244.1.0/24',
          nextHops: [{ device: 'cni0', flags: [] }],
        },
      ],
      source: '',
    },
  };

  test('kube-proxy in mode iptables', async () => {
    const kube = iptablesFixture('kube-proxy');
    const spread = await filterOf(kube, { port: 30080 }, { known: pods });
    expect(spread.hits.filter(({ packet }) => packet === 'syn-in')).toMatchObject([
      { verdict: 'dnat', certainty: 'depends', conditions: ['random'], target: { address: '10.244.1.5', port: 8080 } },
      { verdict: 'dnat', certainty: 'depends', conditions: ['random'], target: { address: '10.244.1.6', port: 8080 } },
    ]);
    expect(spread.passes).toContain('syn-in');
    expect(short(await filterOf(kube, { port: 30081 }))).toEqual([
      'reject-icmp certain [ct-new] -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/empty has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30081 -j REJECT --reject-with icmp-port-unreachable',
    ]);
    const plain = await filterOf(kube, { port: 22 });
    expect(plain.passes).toEqual(['syn-in', 'syn-ack-out', 'ack-in']);
  });

  test('kube-proxy in mode nftables', async () => {
    const kube = { [NFT]: fixture('nft/kube-proxy.json') };
    const spread = await filterOf(kube, { port: 30080 }, { known: pods });
    expect(spread.hits.filter(({ packet }) => packet === 'syn-in')).toMatchObject([
      { verdict: 'dnat', certainty: 'depends', conditions: ['random'], target: { address: '10.244.1.5', port: 8080 } },
      { verdict: 'dnat', certainty: 'depends', conditions: ['random'], target: { address: '10.244.1.6', port: 8080 } },
    ]);
    expect(spread.passes).toContain('syn-in');
    expect(short(await filterOf(kube, { port: 30081 }))).toEqual(['reject-icmp certain [ct-new] reject']);
    expect((await filterOf(kube, { port: 22 })).passes).toEqual(['syn-in', 'syn-ack-out', 'ack-in']);
    // From the node itself to a cluster address.
    const fromHere = { side: 'client', client: '192.0.2.1' } as const;
    const none = await filterOf(kube, { ...fromHere, server: '10.96.0.11', port: 80 });
    expect(short(none, 'syn-out')).toEqual(['reject-icmp certain [ct-new] reject']);
    const unallocated = await filterOf(kube, { ...fromHere, server: '10.96.7.7', port: 80 });
    expect(short(unallocated, 'syn-out')).toEqual([
      'drop certain [ct-new] ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"',
    ]);
  });

  test('fail2ban with nftables', async () => {
    const banned = { [NFT]: fixture('nft/fail2ban.json') };
    expect(short(await filterOf(banned, { port: 22, client: '198.51.100.7' })).at(-1)).toBe(
      'reject-icmp certain [set] tcp dport 22 ip saddr @addr-set-sshd reject with icmp port-unreachable',
    );
    expect(short(await filterOf(banned, { port: 22 }))).toEqual([
      'drop depends [ct-invalid] ct state vmap { invalid : drop, established : accept, related : accept }',
    ]);
    expect(short(await filterOf(banned, { port: 8443 })).at(-1)).toBe(
      'drop certain [] type filter hook input priority filter; policy drop;',
    );
    // Banned in between: nobody can say which of the two the SYN met.
    const before = { [NFT]: fixture('nft/fail2ban.json').replaceAll('"198.51.100.7",', '') };
    const unsure = await filterOf(banned, { port: 22, client: '198.51.100.7', observed: true }, { before });
    expect(short(unsure)[0]).toContain('reject-icmp depends [set]');
  });

  test('fail2ban with iptables and ipset', async () => {
    const fail2ban = iptablesFixture('fail2ban', { 'ipset save': fixture('iptables/f2b-web.ipset') });
    expect(short(await filterOf(fail2ban, { port: 22, client: '198.51.100.7' }))).toEqual([
      'reject-icmp certain [] -A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable',
    ]);
    expect((await filterOf(fail2ban, { port: 22 })).passes).toContain('syn-in');
    const rule =
      '-A INPUT -p tcp -m multiport --dports 80,443 -m set --match-set f2b-web src -j REJECT --reject-with icmp-port-unreachable';
    // Entries time out: without an earlier reading it may have come or gone.
    expect(short(await filterOf(fail2ban, { port: 443, client: '203.0.113.9' }))).toEqual([
      `reject-icmp depends [set] ${rule}`,
    ]);
    const watched = await filterOf(
      fail2ban,
      { port: 443, client: '203.0.113.9', observed: true },
      { before: fail2ban },
    );
    expect(short(watched)).toEqual([`reject-icmp certain [set] ${rule}`]);
    const without = await filterOf(iptablesFixture('fail2ban'), { port: 443, client: '203.0.113.9' });
    expect(short(without)).toEqual([`reject-icmp unknown [set] ${rule}`]);
    expect(without.unread).toEqual([{ tool: 'ipset', reason: 'there is no ipset' }]);
  });
});
