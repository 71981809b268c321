import { expect, test } from 'vitest';
import { counter, DROP, dport, nftJson } from '../../formats/nft/testing/ruleset.ts';
import { HostError } from '../../host/host.ts';
import { readPacketFilter } from './packet-filter-reading.ts';
import { AnsweringHost } from './testing/answering-host.ts';
import { filterFactOf, filterOf, fixture, iptablesFixture, NFT, short } from './testing/filter-question.ts';

const EMPTY = nftJson();
const LEGACY = '*filter\n:INPUT ACCEPT [0:0]\n[3:180] -A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n';

test('one command is enough where all rules are native', async () => {
  const asked: string[] = [];
  await filterOf({ [NFT]: fixture('nft/fail2ban.json') }, { port: 22 }, { asked });
  expect(asked).toEqual([NFT]);
});

test('iptables-save is asked where nft knows matches by their names only, and takes their place', async () => {
  const asked: string[] = [];
  const filter = await filterOf(iptablesFixture('docker'), { port: 22 }, { asked });
  expect(asked).toEqual([NFT, 'iptables-nft-save -c']);
  const rules = fixture('iptables/docker.save').match(/^\[/gm)?.length;
  expect(filter.rules).toBe(rules);
  expect(filter.unread).toEqual([]);
});

test('without iptables-save the names that nft shows have to do', async () => {
  const filter = await filterOf({ [NFT]: fixture('iptables/fail2ban.json') }, { port: 22, client: '198.51.100.7' });
  expect(filter.unread).toEqual([{ tool: 'iptables', reason: 'there is no iptables-save' }]);
  expect(short(filter)).toContain('reject-icmp unknown [] ip saddr 198.51.100.7 counter xt target "REJECT"');
});

test('legacy tables are read where the kernel lists some', async () => {
  const files = { '/proc/net/ip_tables_names': 'filter\n' };
  const commands = { [NFT]: EMPTY, 'iptables-legacy-save -c': LEGACY };
  const filter = await filterOf(commands, { port: 22 }, { files });
  expect(filter.tools).toEqual(['nft', 'iptables-legacy']);
  expect(filter.hits[0]).toMatchObject({ tool: 'iptables-legacy', certainty: 'certain', handle: 1, packets: 3 });
  // A host that has no other variant calls it by the plain name.
  const plain = await filterOf({ [NFT]: EMPTY, 'iptables-save -c': LEGACY }, { port: 22 }, { files });
  expect(plain.tools).toEqual(['nft', 'iptables-legacy']);
  const unread = await filterOf({ [NFT]: EMPTY }, { port: 22 }, { files });
  expect(unread.unread).toEqual([{ tool: 'iptables-legacy', reason: 'there is no iptables-save' }]);
});

test('an old host has iptables and no nft', async () => {
  const commands = { 'iptables-save -c': LEGACY, 'ip6tables-save -c': '' };
  const filter = await filterOf(commands, { port: 22 });
  expect(filter.tools).toEqual(['iptables', 'ip6tables']);
  expect(filter.blocked).toContain('syn-in');
  expect(filter.unread).toEqual([]);
  const loaded = await filterOf(
    commands,
    { port: 22 },
    { files: { '/proc/modules': 'nf_tables 200704 0 - Live 0x0\n' } },
  );
  expect(loaded.unread).toEqual([{ tool: 'nft', reason: 'nf_tables is loaded, and nft is not installed' }]);
});

test('what cannot be read is said, with what would help', async () => {
  const denied = { exitCode: 1, stdout: '', stderr: 'Operation not permitted (you must be root)\n' };
  expect(await filterFactOf({ [NFT]: denied }, { port: 22 })).toEqual({
    unavailable: 'no-permission',
    reason: 'the rules of the packet filter may only be listed by root',
    hint: 'run as root',
  });
  expect(await filterFactOf({}, { port: 22 })).toMatchObject({ unavailable: 'not-found', hint: 'install nftables' });
  const plain = { exitCode: 1, stdout: '', stderr: 'Error: JSON support not compiled-in\n' };
  expect(await filterFactOf({ [NFT]: plain }, { port: 22 })).toMatchObject({
    reason: 'nft was built without JSON support',
  });
  const odd = await filterFactOf({ [NFT]: 'not json', 'iptables-nft-save -c': LEGACY }, { port: 22 });
  expect(odd).toMatchObject({ value: { unread: [{ tool: 'nft' }], tools: ['iptables'] } });
});

test('the devices of an ingress chain are looked up in the text where the JSON leaves them out', async () => {
  const commands = {
    [NFT]: nftJson({
      family: 'netdev',
      name: 'nd',
      chains: { ing: { hook: 'ingress', rules: [[dport(22), counter(), DROP]] } },
    }),
  };
  const question = { port: 22 };
  expect(short(await filterOf(commands, question))).toEqual(['drop depends [] tcp dport 22 counter drop']);
  const on = (device: string) => ({
    ...commands,
    'nft -t list ruleset': `table netdev nd {\n\tchain ing {\n\t\ttype filter hook ingress ${device} priority filter; policy accept;\n`,
  });
  expect(short(await filterOf(on('device "eth0"'), question))).toEqual(['drop certain [] tcp dport 22 counter drop']);
  expect(short(await filterOf(on('devices = { "lo", "eth0" }'), question))).toHaveLength(1);
  expect(short(await filterOf(on('device "lo"'), question))).toEqual([]);
});

test('a rule set that is too large is read without the elements of its sets', async () => {
  const rules = [
    [{ match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '@banned' } }, DROP],
  ];
  const terse = nftJson({ sets: [{ name: 'banned', type: 'ipv4_addr' }], chains: { in: { hook: 'input', rules } } });
  class Slow extends AnsweringHost {
    override run(argv: readonly string[]): ReturnType<AnsweringHost['run']> {
      if (argv.join(' ') === NFT) throw new HostError('timed-out', 'nft did not end within 20 s');
      return super.run(argv);
    }
  }
  const reading = await readPacketFilter(new Slow({ commands: { 'nft -j -t list ruleset': terse } }));
  expect(reading.unread).toEqual([{ tool: 'nft sets', reason: 'nft did not end within 20 s' }]);
  expect(reading.nft?.tables[0]?.sets.get('banned')?.elements).toBeUndefined();
  await expect(readPacketFilter(new Slow({}))).rejects.toMatchObject({ code: 'timed-out' });
});

test('rules of bridges are read, and said not to be evaluated; dormant tables do nothing', async () => {
  const chains = { input: { hook: 'input', rules: [[DROP]] } };
  const filter = await filterOf(
    { [NFT]: nftJson({ family: 'bridge', chains }, { name: 'asleep', flags: 'dormant', chains }) },
    { port: 22 },
  );
  expect(filter.unread).toEqual([{ tool: 'nft bridge', reason: 'rules of bridges are not evaluated' }]);
  expect(filter.passes).toContain('syn-in');
});
