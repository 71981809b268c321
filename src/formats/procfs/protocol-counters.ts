/** Counters by name, in the order of the file. */
export type CounterTable = ReadonlyMap<string, number>;

/**
 * Parses /proc/net/netstat and /proc/net/snmp (net/ipv4/proc.c): pairs of lines, names and then values, both behind the name of
 * their group. Names are as nstat prints them: `TcpExtListenDrops`, `IpOutNoRoutes`, `IcmpMsgInType3`. Damaged pairs are left out.
 */
export function parseProtocolCounters(text: string): CounterTable {
  const counters = new Map<string, number>();
  let names: readonly string[] = [];
  let group = '';
  for (const line of text.split('\n')) {
    const [head = '', ...fields] = line.trim().split(/\s+/);
    if (!/^[A-Za-z0-9]+:$/.test(head)) continue;
    if (head === group && fields.every((field) => INTEGER.test(field))) {
      for (const [index, name] of names.entries()) {
        const value = fields[index];
        if (value !== undefined) counters.set(`${group.slice(0, -1)}${name}`, Number(value));
      }
      group = '';
      continue;
    }
    group = head;
    names = fields;
  }
  return counters;
}

const INTEGER = /^-?\d+$/;

/** Parses /proc/net/snmp6 and /proc/net/xfrm_stat: a name and a value on each line. Other lines are left out. */
export function parseNamedCounters(text: string): CounterTable {
  const counters = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\w+)\s+(\d+)\s*$/.exec(line) ?? [];
    if (name !== undefined) counters.set(name, Number(value));
  }
  return counters;
}
