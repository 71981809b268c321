import type { ProofElement } from '../model/proof.ts';
import { dotted } from './interventions/sysctls.ts';
import type { HostState, SavedRules } from './state.ts';
import { textHunks, withoutMarks } from './text-hunks.ts';

/** One difference between two states of a host. */
export interface Difference {
  /** What the bad state has otherwise: `added`, `removed`, or the two values. */
  readonly element: ProofElement;
  /** The state with this one thing as the good state has it. */
  undo(state: HostState): HostState;
}

/** Settings that differ between any two moments. */
const FLEETING = /_count$|_max_|entropy|stable_secret|\/mtu$|base_reachable|random/;
/** What a route or a listener is called by says nothing of how long it lasts. */
const COUNTERS = /\[\d+:\d+\] |packets \d+ bytes \d+|# handle \d+| expires \S+|^# (?:Generated|Completed).*$/g;

/** Everything in which two states of a host differ and which a twin has. */
export function differencesOf(good: HostState, bad: HostState): Difference[] {
  return [
    ...lists(
      'route',
      'routes',
      good,
      bad,
      (route) => `${route.family === 6 ? '-6 ' : ''}${route.line}${route.isExpired ? ' (expired)' : ''}`,
    ),
    ...lists('rule', 'rules', good, bad, (rule) => `${rule.family === 6 ? '-6 ' : ''}${rule.priority}: ${rule.line}`),
    ...lists('address', 'addresses', good, bad, ({ address, prefixLength, device, flags }) =>
      [`${address}/${prefixLength} dev ${device}`, ...flags.filter((flag) => /tentative|dadfailed/.test(flag))].join(
        ' ',
      ),
    ),
    ...lists(
      'neighbour',
      'neighbours',
      good,
      bad,
      ({ address, device, linkAddress = '', states }) =>
        `${address} lladdr ${linkAddress} dev ${device} ${states.some((one) => /FAILED|INCOMPLETE/.test(one)) ? 'dead' : states.includes('PERMANENT') ? 'permanent' : 'alive'}`,
    ),
    ...lists('link', 'links', good, bad, ({ name, flags, master = '', bridgePortState = '', kind = '' }) =>
      [
        name,
        flags.includes('UP') ? 'up' : 'down',
        flags.includes('NO-CARRIER') ? 'without carrier' : '',
        kind,
        master && `master ${master}`,
        bridgePortState,
      ]
        .filter(Boolean)
        .join(' '),
    ),
    ...lists('socket', 'sockets', good, bad, socketName),
    ...lists('nexthop', 'nexthops', good, bad, (line) => line),
    ...lists('xfrm-policy', 'xfrmPolicies', good, bad, (text) => text.replaceAll(/\s+/g, ' ')),
    ...lists('qdisc', 'qdiscs', good, bad, (line) => line),
    ...settings(good, bad),
    ...nft(good, bad),
    ...iptables(good, bad),
  ];
}

type ListName =
  | 'routes'
  | 'rules'
  | 'addresses'
  | 'neighbours'
  | 'links'
  | 'sockets'
  | 'nexthops'
  | 'xfrmPolicies'
  | 'qdiscs';

function lists<Name extends ListName>(
  kind: string,
  name: Name,
  good: HostState,
  bad: HostState,
  textOf: (one: HostState[Name][number]) => string,
): Difference[] {
  type One = HostState[Name][number];
  const goods = new Map((good[name] as readonly One[]).map((one) => [textOf(one), one]));
  const bads = new Map((bad[name] as readonly One[]).map((one) => [textOf(one), one]));
  const added = [...bads.keys()].filter((text) => !goods.has(text));
  const removed = [...goods].filter(([text]) => !bads.has(text));
  return [
    ...added.map(
      (text): Difference => ({
        element: { kind, element: text, change: 'added' },
        undo: (state) => ({ ...state, [name]: (state[name] as readonly One[]).filter((one) => textOf(one) !== text) }),
      }),
    ),
    ...removed.map(
      ([text, one]): Difference => ({
        element: { kind, element: text, change: 'removed' },
        undo: (state) => ({ ...state, [name]: [...(state[name] as readonly One[]), one] }),
      }),
    ),
  ];
}

function socketName({
  state = '',
  local,
  remote,
  device = '',
  receiveQueue,
  sendQueue = 0,
  v6only,
  options = {},
}: HostState['sockets'][number]): string {
  if (state !== 'LISTEN')
    return `${state} ${local.address} port ${local.port} with ${remote.address} port ${remote.port}`;
  const isFull = receiveQueue > sendQueue;
  return [
    `listener ${local.address} port ${local.port}`,
    device && `dev ${device}`,
    `backlog ${sendQueue}`,
    isFull ? 'full' : '',
    v6only === true ? 'v6only' : '',
    ...Object.entries(options).map(([name, value]) => `${name} ${String(value)}`),
  ]
    .filter(Boolean)
    .join(' ');
}

function settings(good: HostState, bad: HostState): Difference[] {
  return Object.entries(bad.sysctls).flatMap(([path, value]): Difference[] => {
    const was = good.sysctls[path];
    if (was === undefined || was === value || FLEETING.test(path)) return [];
    return [
      {
        element: { kind: 'sysctl', element: dotted(path), change: `${was} → ${value}` },
        undo: (state) => ({ ...state, sysctls: { ...state.sysctls, [path]: was } }),
      },
    ];
  });
}

function nft({ nft: good }: HostState, { nft: bad }: HostState): Difference[] {
  const form = bad?.form ?? good?.form ?? 'text';
  if (good !== undefined && bad !== undefined && good.form !== bad.form) return [];
  return hunks(
    'nft-rule',
    good?.text ?? '',
    bad?.text ?? '',
    (state, text) => ({ ...state, nft: { form, text } }),
    ({ nft: now }) => now?.text ?? '',
  );
}

function iptables(good: HostState, bad: HostState): Difference[] {
  const tools = new Set([...good.iptables, ...bad.iptables].map(({ tool }) => tool));
  return [...tools].flatMap((tool) => {
    const find = ({ iptables: all }: HostState): SavedRules | undefined => all.find((one) => one.tool === tool);
    const family = (find(bad) ?? find(good))?.family ?? 4;
    return hunks(
      'iptables-rule',
      find(good)?.text ?? '',
      find(bad)?.text ?? '',
      (state, text) => ({
        ...state,
        iptables: [...state.iptables.filter((one) => one.tool !== tool), { tool, family, text }],
      }),
      (state) => find(state)?.text ?? '',
    );
  });
}

/** Differences of a text, piece by piece. */
function hunks(
  kind: string,
  good: string,
  bad: string,
  put: (state: HostState, text: string) => HostState,
  get: (state: HostState) => string,
): Difference[] {
  return textHunks(good, bad, (line) => line.replace(COUNTERS, '').trim()).map((hunk): Difference => {
    const change = hunk.bad.length === 0 ? 'removed' : hunk.good.length === 0 ? 'added' : 'changed';
    const lines = hunk.bad.length === 0 ? hunk.good : hunk.bad;
    const words = lines.map((line) => line.replace(COUNTERS, '').trim()).filter(Boolean);
    return {
      element: { kind, element: words.slice(0, 3).join('; ') + (words.length > 3 ? ' …' : ''), change },
      undo: (state) => put(state, hunk.undoIn(get(state))),
    };
  });
}

/** The bad state with some differences as the good state has them. */
export function undoAll(bad: HostState, differences: readonly Difference[]): HostState {
  const state = differences.reduce((one, difference) => difference.undo(one), bad);
  return {
    ...state,
    ...(state.nft === undefined ? {} : { nft: { ...state.nft, text: withoutMarks(state.nft.text) } }),
    iptables: state.iptables.map((saved) => ({ ...saved, text: withoutMarks(saved.text) })),
  };
}
