/** Switches every rule, policy, table and element of a rule set off and on in the namespace of this process, and tells what it saw. */
import { spawnSync } from 'node:child_process';
import { NFT_SET } from '../../formats/netlink/nftables.ts';
import { FilterSwitch } from '../interventions/filters.ts';

const RULES = `table inet fw {
 set bad { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1 } }
 set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 } }
 map ports { type inet_service : verdict; elements = { 22 : accept, 80 : drop } }
 set seen { type ipv4_addr; size 100; flags dynamic,timeout; timeout 1m; }
 chain input {
  type filter hook input priority 0; policy drop;
  tcp dport { 1, 2, 3-9 } accept
  ip saddr @bad drop
  tcp dport vmap @ports
  tcp dport vmap { 55: drop, 66: jump other }
  limit rate 5/second counter accept
  update @seen { ip saddr limit rate 1/second } accept
  ct state established,related accept comment "keep"
  meta l4proto tcp jump {
   ip saddr 1.2.3.4 drop
  }
 }
 chain other {
  counter drop
 }
}
table ip plain {
 chain input {
  type filter hook input priority 5;
  tcp dport 5 reject with tcp reset
 }
}
`;

const made = spawnSync('nft', ['-f', '-'], { input: RULES, encoding: 'utf8' });
if (made.status !== 0) throw new Error(made.stderr);
const listed = (): string =>
  spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout.replaceAll(
    /packets \d+ bytes \d+| expires \S+/g,
    '',
  );
const before = listed();
const filters = new FilterSwitch();
const refused: string[] = [];
const sync = (what: string): void => {
  const said = filters.sync();
  if (said !== undefined) refused.push(`${what}: ${said}`);
};
const switchable = filters.rules.filter((entry) => filters.canSwitch(entry));
for (const entry of switchable) {
  filters.offRules.add(entry);
  sync(`${entry.rule.chain} ${entry.index} off`);
  filters.offRules.delete(entry);
  sync(`${entry.rule.chain} ${entry.index} on`);
}
for (const entry of switchable) filters.offRules.add(entry);
sync('all off');
filters.offRules.clear();
sync('all on');
const drop = filters.chains.find(({ policy }) => policy === 0)!;
filters.openChains.add(drop);
sync('policy');
const opened = listed().includes('type filter hook input priority filter; policy accept;');
filters.openChains.clear();
sync('policy back');
for (const table of filters.tables) {
  filters.asleep.add(table);
  sync(`${table.table} asleep`);
  filters.asleep.clear();
  sync(`${table.table} awake`);
}
let elementGone = true;
for (const entry of filters.sets.filter(({ set }) => (set.flags & NFT_SET.anonymous) === 0)) {
  const elements = entry.elements.filter(({ key }) => key.some((byte) => byte !== 0));
  filters.goneElements.set(entry, new Set(elements));
  sync(`${entry.set.name} empty`);
  elementGone &&= !listed().includes('192.168.1.1') || entry.set.name !== 'bad';
  filters.goneElements.clear();
  sync(`${entry.set.name} full`);
}
filters.resetState();
filters.close();
const unswitchable = filters.rules.length - switchable.length;
console.log(
  JSON.stringify({ refused, rules: switchable.length, unswitchable, isSame: listed() === before, opened, elementGone }),
);
