import type { Host } from '../host/host.ts';
import { IpBatch } from './ip-batch.ts';
import type { Notes } from './notes.ts';
import type { HostState } from './state.ts';

/** Kinds of queues that let a SYN-ACK of a quiet host pass, or that have nothing to do with packets that leave. */
const HARMLESS: ReadonlySet<string> = new Set(
  'noqueue noop mq mqprio pfifo_fast fq fq_codel cake codel sfq fq_pie clsact ingress'.split(' '),
);

/** The interface in a line of `tc qdisc show`. */
export function deviceOfQdisc(line: string): string | undefined {
  return / dev (\S+)/.exec(line)?.[1];
}

/** Whether a line of `tc qdisc show` is of a kind that keeps nothing back. */
export function isHarmlessQdisc(line: string): boolean {
  const device = deviceOfQdisc(line);
  return device === undefined || device === 'lo' || HARMLESS.has(line.split(' ')[1] ?? '');
}

/** Policies of IPsec. */
export async function buildPolicies({ xfrmPolicies, xfrmStates }: HostState, host: Host, notes: Notes): Promise<void> {
  const batch = new IpBatch();
  for (const policy of xfrmPolicies) {
    const line = policy.replace(/\s+/g, ' ').trim();
    // Those of sockets belong to programs.
    if (!/ dir (in|out|fwd) /.test(`${line} `)) continue;
    if (line.includes(' tmpl ') && xfrmStates !== 0) {
      notes.missing(
        `the policy of IPsec "${line}": ${xfrmStates === undefined ? 'whether there are keys for it is not known' : 'its keys are not copied'}`,
      );
    } else if (!batch.add(`xfrm policy add ${line}`, `the policy of IPsec "${line}"`)) {
      notes.missing(`the policy of IPsec "${line}"`);
    }
  }
  for (const { name, said } of await batch.run(host)) notes.missing(`${name}: ${said}`);
}

/** Queueing disciplines that can drop what leaves, of a host of which only their lines are known. */
export async function buildQdiscs({ qdiscs, shapers }: HostState, host: Host, notes: Notes): Promise<void> {
  if (shapers !== undefined) return;
  await Promise.all(
    qdiscs.map(async (line) => {
      const [, kind = '', handle = '', device = '', place = '', rest = ''] =
        /^qdisc (\S+) (\S+) dev (\S+) (root|parent \S+)(.*)$/.exec(line) ?? [];
      if (kind === '' || isHarmlessQdisc(line)) return;
      const words = rest
        .replace(/ refcnt \d+/, '')
        .trim()
        .split(/\s+/)
        .filter((word) => word !== '');
      const at = handle === '0:' ? [] : ['handle', handle];
      const { exitCode, stderr } = await host.run([
        'tc',
        'qdisc',
        'replace',
        'dev',
        device,
        ...place.split(' '),
        ...at,
        kind,
        ...words,
      ]);
      if (exitCode !== 0)
        notes.missing(`the queueing discipline ${kind} on ${device}: ${stderr.trim().split('\n')[0]}`);
    }),
  );
}
