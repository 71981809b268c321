/** Counters by name, one value for each CPU; each value is 32 bits wide and wraps. */
export type PerCpuCounters = ReadonlyMap<string, readonly number[]>;

/**
 * Parses /proc/net/stat/{nf_conntrack,synproxy,arp_cache,ndisc_cache,rt_cache}: a line of names, then a line of hexadecimal numbers
 * for each CPU. The columns differ from kernel to kernel, so only the names count. `entries` is a size, the same on every line: it
 * is kept once.
 */
export function parsePerCpuCounters(text: string): PerCpuCounters {
  const [head = '', ...rest] = text.split('\n');
  const names = head.trim().split(/\s+/);
  const rows = rest.map((line) => line.trim().split(/\s+/)).filter(isHexadecimal);
  const counters = new Map<string, readonly number[]>();
  for (const [column, name] of names.entries()) {
    if (!/^[a-z]\w*$/.test(name)) continue;
    const values = rows.flatMap((row) => (row[column] === undefined ? [] : [Number.parseInt(row[column], 16)]));
    if (values.length > 0) counters.set(name, name === 'entries' ? values.slice(0, 1) : values);
  }
  return counters;
}

/** Columns of /proc/net/softnet_stat (net/core/net-procfs.c, softnet_seq_show()) that count something; `undefined`: always 0. */
const SOFTNET_COLUMNS: readonly (string | undefined)[] = [
  'processed',
  'dropped',
  'time_squeeze',
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  'received_rps',
  'flow_limit_count',
];

/** Parses /proc/net/softnet_stat: a line of hexadecimal numbers for each CPU that is online, without names. */
export function parseSoftnet(text: string): PerCpuCounters {
  const rows = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(isHexadecimal);
  const counters = new Map<string, readonly number[]>();
  for (const [column, name] of SOFTNET_COLUMNS.entries()) {
    if (name === undefined) continue;
    const values = rows.flatMap((row) => (row[column] === undefined ? [] : [Number.parseInt(row[column], 16)]));
    if (values.length > 0) counters.set(name, values);
  }
  return counters;
}

function isHexadecimal(fields: readonly string[]): boolean {
  return fields.every((field) => /^[0-9a-f]{1,8}$/.test(field));
}
