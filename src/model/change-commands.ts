import type { Change } from './cause.ts';

/** The command lines that make a change by hand, as argument lists; none for an advice. */
export function changeCommands(change: Change): (readonly string[])[] {
  switch (change.kind) {
    case 'sysctl':
      return [['sysctl', '-w', `${sysctlName(change.key)}=${change.value}`]];
    case 'route':
      return [routeCommand(change)];
    case 'rule':
      return [
        [
          ...ip(change.family),
          'rule',
          change.action === 'add' ? 'add' : 'del',
          ...(change.priority === undefined ? [] : ['pref', String(change.priority)]),
          ...change.selector,
        ],
      ];
    case 'nft-rule': {
      const { family, table, chain, handle, rule = [] } = change;
      return change.action === 'delete'
        ? [['nft', 'delete', 'rule', family, table, chain, 'handle', String(handle)]]
        : [
            [
              'nft',
              'insert',
              'rule',
              family,
              table,
              chain,
              ...(handle === undefined ? [] : ['position', String(handle)]),
              ...rule,
            ],
          ];
    }
    case 'iptables-rule': {
      const { tool, table, chain, number, rule = [] } = change;
      const at = number === undefined ? [] : [String(number)];
      return change.action === 'delete'
        ? [[tool, '-t', table, '-D', chain, ...(number === undefined ? rule : at)]]
        : [[tool, '-t', table, '-I', chain, ...at, ...rule]];
    }
    case 'neighbour': {
      const { address, device, linkAddress } = change;
      return change.action === 'delete'
        ? [['ip', 'neigh', 'del', address, 'dev', device]]
        : [
            [
              'ip',
              'neigh',
              'replace',
              address,
              ...(linkAddress === undefined ? [] : ['lladdr', linkAddress]),
              'dev',
              device,
            ],
          ];
    }
    case 'link':
      return [['ip', 'link', 'set', 'dev', change.device, ...change.setting]];
    case 'address': {
      const verbs = { add: ['add'], delete: ['del'], renew: ['del', 'add'] }[change.action];
      const { address, prefixLength, device } = change;
      const words = [`${address}/${prefixLength}`, 'dev', device];
      return verbs.map((verb) => [...ip(address.includes(':') ? 6 : 4), 'addr', verb, ...words]);
    }
    case 'service':
      return [['systemctl', change.action, change.unit]];
    case 'command':
      return [change.argv];
    case 'advice':
      return [];
  }
}

/**
 * The name of a setting as sysctl(8) takes it: with slashes where the name of an interface in it has dots of its own
 * (`net/ipv4/conf/eth0.100/rp_filter`).
 */
function sysctlName(key: string): string {
  const path = sysctlPath(key);
  return path.includes('.') ? path : key;
}

/** Path of a setting below /proc/sys; `net.ipv4.conf.eth0.100.rp_filter` gives `net/ipv4/conf/eth0.100/rp_filter`. */
export function sysctlPath(key: string): string {
  const [, before, device, name] = /^(net\.ipv[46]\.(?:conf|neigh))\.(.+)\.([^.]+)$/.exec(key) ?? [];
  return before === undefined ? key.replaceAll('.', '/') : `${before.replaceAll('.', '/')}/${device}/${name}`;
}

function ip(family: 4 | 6): string[] {
  return family === 6 ? ['ip', '-6'] : ['ip'];
}

function routeCommand(change: Extract<Change, { kind: 'route' }>): string[] {
  const { action, family, type, destination, via, device, table, metric, protocol } = change;
  return [
    ...ip(family),
    'route',
    action === 'delete' ? 'del' : action,
    ...(type === undefined || type === 'unicast' ? [] : [type]),
    destination,
    ...(via === undefined ? [] : ['via', via]),
    ...(device === undefined ? [] : ['dev', device]),
    ...(table === undefined || table === 'main' ? [] : ['table', table]),
    ...(metric === undefined ? [] : ['metric', String(metric)]),
    ...(protocol === undefined ? [] : ['proto', protocol]),
  ];
}
