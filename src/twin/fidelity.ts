import type { Host } from '../host/host.ts';
import { keyOf, ruleKey, wantedRoutes } from './build-routes.ts';
import { nftInput } from './filter-text.ts';
import { tablesOf } from './read-filters.ts';
import { snapshotCopy } from './snapshot.ts';
import type { HostState } from './state.ts';
import type { Fidelity } from './syn.ts';

const MAX_DIFFERENCES = 50;
/** The twin decides these itself. */
const OWN_SETTINGS =
  /\/(addr_gen_mode|mtu|dad_transmits|accept_dad|router_solicit\w*|use_tempaddr|regen_max_retry|temp_\w+)$|icmp_ratelimit$|icmp\/ratelimit$|tcp_invalid_ratelimit$|nf_conntrack_count$|(tcp_ehash|udp_hash)_entries$|nf_log/;

/** Takes the state of the twin as that of the host was taken, and compares them element by element. */
export async function compareStates(original: HostState, twin: Host): Promise<Fidelity> {
  const copy = await snapshotCopy(twin, original);
  const compared = KINDS.map(({ kind, elements }) => {
    const wanted = elements(original, copy);
    const has = new Set(elements(copy, original));
    const missing = wanted.filter((element) => !has.has(element));
    return { kind, missing, total: wanted.length };
  });
  const parts = compared.map(({ kind, missing, total }) => ({ kind, equal: total - missing.length, total }));
  return {
    equal: parts.reduce((sum, { equal }) => sum + equal, 0),
    total: parts.reduce((sum, { total }) => sum + total, 0),
    parts: parts.filter(({ total }) => total > 0),
    differences: compared
      .flatMap(({ kind, missing }) => missing.map((element) => `${kind}: ${element}`))
      .slice(0, MAX_DIFFERENCES),
  };
}

interface Kind {
  readonly kind: string;
  /** Each element as a text that says all of it; `other` is what it is compared with. */
  elements(state: HostState, other: HostState): readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    kind: 'interfaces',
    elements: ({ links }) =>
      links.map(({ name, index, linkAddress, mtuBytes, flags }) =>
        [index, name, linkAddress, mtuBytes, flags.includes('UP') ? 'up' : 'down'].join(' '),
      ),
  },
  {
    kind: 'addresses',
    elements: ({ addresses }) =>
      addresses
        .filter(({ flags }) => !flags.includes('tentative') && !flags.includes('dadfailed'))
        .map(({ address, prefixLength, device }) => `${address}/${prefixLength} on ${device}`),
  },
  { kind: 'routes', elements: (state) => wantedRoutes(state).map(keyOf) },
  { kind: 'rules', elements: ({ rules }) => rules.map(ruleKey) },
  { kind: 'nexthops', elements: ({ nexthops }) => nexthops },
  { kind: 'nftables', elements: nftElements },
  {
    kind: 'iptables',
    elements: ({ iptables }) =>
      iptables.flatMap(({ tool, text }) => savedElements(text).map((line) => `${tool} ${line}`)),
  },
  {
    kind: 'settings',
    // Some are of the machine, and no namespace has them.
    elements: ({ sysctls }, { sysctls: wanted }) =>
      Object.entries(sysctls)
        .filter(([path]) => Object.hasOwn(wanted, path) && !OWN_SETTINGS.test(path))
        .map(([path, value]) => `${path} = ${value}`),
  },
  {
    kind: 'listeners',
    elements: ({ sockets }) =>
      sockets
        .filter(({ state }) => state === 'LISTEN')
        .map(
          ({ local, family, device, v6only, sendQueue, receiveQueue }) =>
            `${local.address}${device === undefined ? '' : `%${device}`}:${local.port} IPv${family} ${v6only === true ? 'only ' : ''}${receiveQueue}/${sendQueue ?? '?'}`,
        ),
  },
  {
    kind: 'policies of IPsec',
    elements: ({ xfrmPolicies }) => xfrmPolicies.map((policy) => policy.replace(/\s+/g, ' ').trim()),
  },
];

/** Rules without their handles, and without counters, which the twin's own packets move. */
function nftElements(state: HostState): readonly string[] {
  const input = nftInput(state);
  if (input === undefined || input.form === 'json') return [];
  return tablesOf(input.text).flatMap(({ family, name, text }) => {
    let chain = '';
    return text.split('\n').flatMap((line) => {
      chain = /^\t(?:chain|set|map) (\S+)/.exec(line)?.[1] ?? chain;
      const words = line
        .replace(/ # handle \d+$/, '')
        .replace(/counter packets \d+ bytes \d+/g, 'counter')
        .trim();
      return words === '' || words === '}' ? [] : [`${family} ${name} ${chain}: ${words}`];
    });
  });
}

function savedElements(text: string): readonly string[] {
  let table = '';
  return text.split('\n').flatMap((line) => {
    table = /^\*(\S+)/.exec(line)?.[1] ?? table;
    const words = line.replace(/^\[\d+:\d+\] /, '').replace(/ \[\d+:\d+\]$/, '');
    return /^(-A|:)/.test(words) ? [`${table}: ${words}`] : [];
  });
}
