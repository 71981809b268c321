import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Subject } from './measure.ts';

/** One question: synscope against something else on the same capture. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** Captures that are read, as names in the folder of inputs; the table counts their packets and bytes. */
  readonly inputs: readonly string[];
  readonly ours: (paths: readonly string[]) => Subject;
  readonly theirs: (paths: readonly string[]) => Subject;
  /** Program whose version the table names; the scenario is left out where it is not installed. */
  readonly tool?: string;
  /** At most so many runs, for peers that take minutes. */
  readonly maxRuns?: number;
}

const launcher = fileURLToPath(new URL('../bin/synscope.js', import.meta.url));
/** Lets tcpdump do what a first filter for handshakes does: SYNs and RSTs of IPv4 and IPv6. */
const SYN_OR_RST = 'tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 or (ip6 and ip6[6]=6 and ip6[53] & 6 != 0)';

/** The command line that runs the built synscope. */
export function synscope(...args: readonly string[]): Subject {
  return { name: `synscope ${args[0]}`, argv: [process.execPath, launcher, ...args], succeedsWith: [0, 1] };
}

function peer(name: string, ...argv: readonly string[]): Subject {
  return { name, argv, succeedsWith: [0] };
}

function read([path]: readonly string[]): Subject {
  return synscope('read', path!);
}

function tcpdump([path]: readonly string[]): Subject {
  return peer('tcpdump -w /dev/null FILTER', 'tcpdump', '-r', path!, '-w', '/dev/null', SYN_OR_RST);
}

/** All scenarios, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'packets',
    title: '10 M packets, snaplen 96',
    inputs: ['s96-10m.pcap'],
    ours: read,
    theirs: tcpdump,
    tool: 'tcpdump',
  },
  {
    id: 'whole',
    title: '1 GB of whole packets',
    inputs: ['full-1g.pcap'],
    ours: read,
    theirs: tcpdump,
    tool: 'tcpdump',
  },
  {
    id: 'flows',
    title: '1 M flows, 96 % failing',
    inputs: ['flows-1m.pcap'],
    ours: read,
    theirs: tcpdump,
    tool: 'tcpdump',
  },
  {
    id: 'compare',
    title: 'both ends of 30 k flows, against reading each',
    inputs: ['c.pcap', 's.pcap'],
    ours: (paths) => synscope('compare', ...paths),
    theirs: (paths) => ({
      name: 'synscope read, twice',
      argv: ['sh', '-c', '"$0" "$1" read "$2"; "$0" "$1" read "$3"', process.execPath, launcher, ...paths],
      succeedsWith: [0, 1],
    }),
  },
  {
    id: 'tshark',
    title: '1 M packets, snaplen 96',
    inputs: ['s96-1m.pcap'],
    ours: read,
    theirs: ([path]) =>
      peer('tshark -Y SYN', 'tshark', '-r', path!, '-Y', 'tcp.flags.syn==1', '-T', 'fields', '-e', 'frame.number'),
    tool: 'tshark',
    maxRuns: 1,
  },
  {
    id: 'argus',
    title: '10 M packets, snaplen 96',
    inputs: ['s96-10m.pcap'],
    ours: read,
    theirs: ([path]) => peer('argus', 'argus', '-X', '-r', path!, '-w', '/dev/null'),
    tool: 'argus',
    maxRuns: 3,
  },
  {
    id: 'tcptrace',
    title: '10 M packets, snaplen 96',
    inputs: ['s96-10m.pcap'],
    ours: read,
    theirs: ([path]) => peer('tcptrace -n -q', 'tcptrace', '-n', '-q', path!),
    tool: 'tcptrace',
    maxRuns: 3,
  },
  {
    id: 'suricata',
    title: '10 M packets, snaplen 96',
    inputs: ['s96-10m.pcap'],
    ours: read,
    theirs: ([path]) =>
      peer('suricata, no rules', 'suricata', '--runmode=single', '-S', '/dev/null', '-l', '/tmp', '-r', path!),
    tool: 'suricata',
    maxRuns: 3,
  },
];

const VERSION_FLAGS: Readonly<Record<string, string>> = { argus: '-h', tcptrace: '-version', suricata: '-V' };

/** The first line in which a tool names its version; undefined when it is not installed. */
export function toolVersion(tool: string): string | undefined {
  const { stdout, stderr, error } = spawnSync(tool, [VERSION_FLAGS[tool] ?? '--version'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  if (error !== undefined) return undefined;
  return `${stdout}\n${stderr}`
    .split('\n')
    .find((line) => /\d+\.\d+/.test(line))
    ?.trim();
}
