import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

/** Queueing disciplines that every interface has, or that drop nothing by themselves. */
const HARMLESS = /^qdisc (?:noqueue|clsact|ingress|mq|pfifo_fast|fq_codel|fq|pfifo|bfifo) /;

/** Policies of IPsec, and queueing disciplines. */
export function otherInterventions(bench: Bench): Intervention[] {
  return [...policies(bench), ...qdiscs(bench)];
}

function policies({ twin: { state } }: Bench): Intervention[] {
  return state.xfrmPolicies.flatMap((entry): Intervention[] => {
    const [selector = '', ...rest] = entry.split('\n').map((line) => line.trim());
    const direction = /\bdir (\w+)/.exec(rest.join(' '))?.[1];
    if (selector === '' || direction === undefined || direction === 'fwd') return [];
    const words = selector.split(/\s+/);
    const add = ['ip', 'xfrm', 'policy', 'add', ...words, ...rest.join(' ').split(/\s+/)];
    return [
      {
        element: {
          ...{ kind: 'xfrm-policy', element: `${selector} dir ${direction}`, change: 'removed' },
          text: rest.join(' ').replaceAll(/\s+/g, ' '),
        },
        rank: 'existing',
        breadth: 1,
        apply: ({ twin }) => void twin.runSync(['ip', 'xfrm', 'policy', 'delete', ...words, 'dir', direction]),
        revert: ({ twin }) => void twin.runSync(add.filter((word) => word !== '')),
      },
    ];
  });
}

function qdiscs({ twin: { state } }: Bench): Intervention[] {
  return state.qdiscs.flatMap((line): Intervention[] => {
    const [, kind, device, rest = ''] = /^qdisc (\S+) \S+ dev (\S+) root(?: refcnt \d+)?(.*)$/.exec(line) ?? [];
    if (kind === undefined || device === undefined || device === 'lo' || HARMLESS.test(line)) return [];
    const words = rest.trim().split(/\s+/).filter(Boolean);
    return [
      {
        element: { kind: 'qdisc', element: `${kind} dev ${device}`, change: 'removed' },
        rank: 'existing',
        breadth: 1,
        apply: ({ twin }) => void twin.runSync(['tc', 'qdisc', 'del', 'dev', device, 'root']),
        revert: ({ twin }) => {
          if (!twin.shapers.restore(device))
            twin.runSync(['tc', 'qdisc', 'replace', 'dev', device, 'root', kind, ...words]);
        },
      },
    ];
  });
}
