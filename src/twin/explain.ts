import { readFileSync } from 'node:fs';
import { parseNamedCounters, parseProtocolCounters } from '../formats/procfs/protocol-counters.ts';
import { isSystemError } from '../host/system-error.ts';
import { KernelTrace } from './kernel-trace.ts';
import { traceRules } from './nft-trace.ts';
import type { Explanation, Replay, SynSpec } from './syn.ts';

/** What moves with every packet, and says nothing. */
const NOISE = /Octets|NoECT|OutType143|MLDv2|OutMcast|InMcast|Icmp6OutMsgs|OutTransmits/;

/** One replay with everything that the kernel tells of it. The namespace has no other traffic: what grew is this SYN's. */
export function explainReplay(syn: SynSpec, hasNft: boolean, run: () => Replay): Explanation {
  const trace = KernelTrace.open();
  const before = readCounters();
  let replay: Replay;
  let rules: readonly string[] = [];
  let seen: ReturnType<KernelTrace['read']> = { drops: [], lookups: [] };
  try {
    if (hasNft) ({ result: replay, steps: rules } = traceRules(syn, run));
    else replay = run();
    if (!('untraced' in trace)) seen = trace.read();
  } finally {
    if (!('untraced' in trace)) trace.close();
  }
  const counters: Record<string, number> = {};
  for (const [name, value] of readCounters()) {
    const growth = value - (before.get(name) ?? 0);
    if (growth !== 0 && !NOISE.test(name)) counters[name] = growth;
  }
  return { replay, counters, ...seen, rules, ...('untraced' in trace ? { untraced: trace.untraced } : {}) };
}

function readCounters(): ReadonlyMap<string, number> {
  return new Map([
    ...parseProtocolCounters(readNet('netstat')),
    ...parseProtocolCounters(readNet('snmp')),
    ...parseNamedCounters(readNet('snmp6')),
    ...parseNamedCounters(readNet('xfrm_stat')),
  ]);
}

function readNet(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'utf8');
  } catch (error) {
    if (isSystemError(error)) return '';
    throw error;
  }
}
