import type { LabNode } from '../src/model/scenario.ts';
import type { Lab } from './lab.ts';

/** Counters of one namespace by name. */
export type LabCounters = Readonly<Record<string, number>>;

/** Counters that move with every packet, and tell nothing of a failure. */
const NOISE =
  /MLDv2|Octets|Pkts$|Mcast|Bcast|Mult|Type1(3[0-9]|4[0-9])|InReceives|InDelivers|OutRequests|OutTransmits|ForwDatagrams|AutoCorking|OrigData|Delivered|HPHits|PureAcks|DelayedACKs|^Icmp6(In|Out)Msgs|^Tcp(In|Out)Segs$|^UdpLite/;

/** Reads the counters of a node, with those of conntrack and IPsec. */
export async function readCounters(lab: Lab, node: LabNode): Promise<LabCounters> {
  const [nstat, conntrack, xfrm] = await Promise.all([
    lab.run(node, ['nstat', '-a', '-s', '-z', '-j']),
    lab.run(node, ['cat', '/proc/net/stat/nf_conntrack']),
    lab.run(node, ['cat', '/proc/net/xfrm_stat']),
  ]);
  return {
    ...(nstat.code === 0 ? (JSON.parse(nstat.stdout) as { kernel: LabCounters }).kernel : {}),
    ...perProcessor(conntrack.stdout, 'nf_conntrack'),
    ...Object.fromEntries(
      xfrm.stdout
        .split('\n')
        .map((line) => line.split(/\s+/))
        .flatMap(([name = '', value]) => (/^Xfrm\w+$/.test(name) ? [[name, Number(value)]] : [])),
    ),
  };
}

/** What moved between two readings, without what moves always. */
export function growthOf(before: LabCounters, after: LabCounters): [name: string, growth: number][] {
  return Object.entries(after)
    .map(([name, value]): [string, number] => [name, value - (before[name] ?? 0)])
    .filter(([name, growth]) => growth !== 0 && !NOISE.test(name));
}

/** Files with a line of names and a line of hexadecimal numbers for each processor. */
function perProcessor(text: string, group: string): LabCounters {
  const [names = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    names
      .filter((name) => name !== '' && name !== 'entries')
      .map((name) => {
        const column = names.indexOf(name);
        return [`${group}.${name}`, rows.reduce((sum, row) => sum + Number.parseInt(row[column] ?? '0', 16), 0)];
      }),
  );
}
