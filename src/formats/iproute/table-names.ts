/** Where iproute2 reads names of routing tables; the first since 6.5, the second before, and for what a person adds. */
export const TABLE_NAME_FILES: readonly string[] = ['/usr/share/iproute2/rt_tables', '/etc/iproute2/rt_tables'];

/** Parses a file of names of routing tables: a number and a name in each line. The last name of a number wins. */
export function parseTableNames(file: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const line of file.split('\n')) {
    const match = /^\s*(0x[\da-f]{1,8}|\d{1,10})\s+(\S+)/i.exec(line);
    if (match !== null) names.set(String(Number(match[1])), match[2]!);
  }
  return names;
}
