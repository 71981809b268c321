import { decodeAttributes, find, findNested, findNetworkNumber, findText } from '../formats/netlink/attributes.ts';
import { decodeMessages } from '../formats/netlink/message.ts';
import { type SystemCalls, systemCalls } from '../host/system.ts';
import { isSystemError } from '../host/system-error.ts';
import { runSync } from './filters.ts';
import type { SynSpec } from './syn.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h. */
const NFNLGRP_NFTRACE = 9;
const NFT_MSG_TRACE = (10 << 8) | 17;
const NFGENMSG_BYTES = 4;
const NFTA_TRACE_TABLE = 1;
const NFTA_TRACE_CHAIN = 2;
const NFTA_TRACE_RULE_HANDLE = 3;
const NFTA_TRACE_TYPE = 4;
const NFTA_TRACE_VERDICT = 5;
const NFTA_TRACE_POLICY = 16;
const NFTA_VERDICT_CODE = 1;
const FAMILIES: Readonly<Record<number, string>> = {
  1: 'inet',
  2: 'ip',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};
const TYPES: Readonly<Record<number, string>> = { 1: 'policy', 2: 'return', 3: 'rule' };
const VERDICTS: Readonly<Record<number, string>> = {
  0: 'drop',
  1: 'accept',
  3: 'queue',
  4294967291: 'return',
  4294967292: 'goto',
  4294967293: 'jump',
  4294967294: 'break',
  4294967295: 'continue',
};
const TABLE = 'synscope_trace';
/** Steps that are kept. */
const MAX_STEPS = 128;
const BUFFER_BYTES = 64 * 1024;

/**
 * Lets nftables tell which rules the packets of a flow meet while `run` sends them: `inet fw input handle 5 drop`, `ip filter INPUT policy drop`. Handles are those of the
 * rules here. Nothing when there are no rules of nftables, or they cannot be traced.
 */
export function traceRules<T>(syn: SynSpec, run: () => T): { readonly result: T; readonly steps: readonly string[] } {
  const calls = systemCalls();
  const fd = subscribe(calls);
  if (fd === undefined) return { result: run(), steps: [] };
  try {
    const isTraced = runSync(['nft', '-f', '-'], tracingRules(syn)).exitCode === 0;
    const result = run();
    const steps = isTraced ? readSteps(calls, fd) : [];
    if (isTraced) runSync(['nft', 'delete', 'table', 'inet', TABLE]);
    return { result, steps };
  } finally {
    calls.close(fd);
  }
}

function subscribe(calls: SystemCalls): number | undefined {
  try {
    const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER);
    calls.bind(fd, Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    calls.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Uint8Array.of(NFNLGRP_NFTRACE, 0, 0, 0));
    return fd;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Before everything else (raw is at -300), in both directions. */
function tracingRules({ family, source, sourcePort, destinationPort }: SynSpec): string {
  const ip = family === 4 ? 'ip' : 'ip6';
  const port = (side: string, number: number): string => (number === 0 ? '' : ` tcp ${side} ${number}`);
  return `table inet ${TABLE} {
  chain in {
    type filter hook prerouting priority -450
    ${ip} saddr ${source}${port('sport', sourcePort)}${port('dport', destinationPort)} meta nftrace set 1
  }
  chain out {
    type filter hook output priority -450
    ${ip} daddr ${source}${port('dport', sourcePort)}${port('sport', destinationPort)} meta nftrace set 1
  }
}
`;
}

function readSteps(calls: SystemCalls, fd: number): readonly string[] {
  const steps: string[] = [];
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (;;) {
    const length = calls.readReady(fd, buffer);
    if (length === 0) return steps.slice(0, MAX_STEPS);
    for (const { type, body } of decodeMessages(buffer.slice(0, length)).messages) {
      const step = type === NFT_MSG_TRACE ? stepOf(body) : undefined;
      if (step !== undefined) steps.push(step);
    }
  }
}

function stepOf(body: Uint8Array): string | undefined {
  const attributes = decodeAttributes(body, NFGENMSG_BYTES);
  const table = findText(attributes, NFTA_TRACE_TABLE);
  const chain = findText(attributes, NFTA_TRACE_CHAIN);
  if (table === undefined || chain === undefined || table === TABLE) return undefined;
  const kind = TYPES[findNetworkNumber(attributes, NFTA_TRACE_TYPE) ?? 0] ?? 'rule';
  const handle = findNetworkNumber(attributes, NFTA_TRACE_RULE_HANDLE);
  const code = findNetworkNumber(
    find(attributes, NFTA_TRACE_VERDICT) === undefined ? [] : findNested(attributes, NFTA_TRACE_VERDICT),
    NFTA_VERDICT_CODE,
  );
  const verdict = code ?? findNetworkNumber(attributes, NFTA_TRACE_POLICY);
  return [
    FAMILIES[body[0] ?? 0] ?? 'inet',
    table,
    chain,
    kind === 'rule' && handle !== undefined ? `handle ${handle}` : kind,
    ...(verdict === undefined ? [] : [VERDICTS[verdict] ?? `verdict ${verdict}`]),
  ].join(' ');
}
