import type { ProofElement } from '../model/proof.ts';

/** The commands that make a proven change on the host itself; none where no command does it. */
export function undoCommands({ kind, element, change }: ProofElement): (readonly string[])[] {
  switch (kind) {
    case 'nft-rule': {
      const [, place = '', handle] = /^(.*) handle (\d+)$/.exec(element) ?? [];
      return handle === undefined ? [] : [['nft', 'delete', 'rule', ...place.split(' '), 'handle', handle]];
    }
    case 'nft-policy':
      return [['nft', 'add', 'chain', ...element.split(' '), '{ policy accept; }']];
    case 'iptables-rule': {
      const [tool = '', table = '', chain = '', number = ''] = element.split(' ');
      return [[tool, '-t', table, '-D', chain, number]];
    }
    case 'iptables-policy': {
      const [tool = '', table = '', chain = ''] = element.split(' ');
      return [[tool, '-t', table, '-P', chain, 'ACCEPT']];
    }
    case 'sysctl':
      return element
        .split(' and ')
        .map((name, index) => ['sysctl', '-w', `${name}=${change.split(' and ')[index] ?? change}`]);
    case 'route': {
      const isV6 = element.startsWith('-6 ');
      const words = element.replace(/^-6 /, '').split(' ');
      const ip = isV6 || words.some((word) => word.includes(':')) ? ['ip', '-6', 'route'] : ['ip', 'route'];
      if (change === 'removed') return [[...ip, 'del', ...words]];
      // A gateway of which only the MAC address is known has no name that a command takes.
      return change === 'valid again' || element.includes(' the sender ') ? [] : [[...ip, 'add', ...words]];
    }
    case 'rule': {
      const [, priority, line = ''] = /^(\d+): (.*)$/.exec(element) ?? [];
      return priority === undefined
        ? []
        : [['ip', ...(line.includes(':') ? ['-6'] : []), 'rule', 'del', 'pref', priority, ...line.split(' ')]];
    }
    case 'neighbour': {
      const [address = '', , , , device = ''] = element.split(' ');
      return [['ip', 'neigh', 'del', address, 'dev', device]];
    }
    case 'address': {
      const [address = '', , device = ''] = element.split(' ');
      // No command makes the kernel believe that an address is nobody else's.
      if (change === 'usable') return [];
      return [['ip', 'addr', change === 'added' ? 'add' : 'del', address, 'dev', device]];
    }
    case 'link':
      return [['ip', 'link', 'set', ...element.split(' '), change]];
    case 'bridge-port':
      return [['bridge', 'link', 'set', 'dev', element, 'state', '3']];
    case 'qdisc':
      return [['tc', 'qdisc', 'del', 'dev', element.split(' ').at(-1) ?? '', 'root']];
    case 'tc-filter': {
      const [kind = '', ...place] = element.split(' ');
      return [['tc', 'filter', 'del', ...place, kind]];
    }
    case 'xfrm-policy': {
      return [['ip', 'xfrm', 'policy', 'delete', ...element.split(' ')]];
    }
    default:
      return [];
  }
}
