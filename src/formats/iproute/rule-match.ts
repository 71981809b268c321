import { parsePrefix, prefixCovers } from './prefix.ts';
import type { ParsedFlow } from './route-flow.ts';
import type { IpRule } from './rules.ts';

/**
 * Whether a rule matches a flow (`fib_rule_match()`, net/core/fib_rules.c; `fib4_rule_match()`, `fib6_rule_match()`); undefined
 * when it has words that are not understood and everything else fits.
 */
export function ruleMatches(rule: IpRule, flow: ParsedFlow): boolean | undefined {
  const matches = selectorMatches(rule, flow);
  return rule.not === true && matches !== undefined ? !matches : matches;
}

function selectorMatches(rule: IpRule, flow: ParsedFlow): boolean | undefined {
  // A flow with a VRF is looked up by that: its `oif` is no longer looked at when it is the VRF itself (l3mdev_update_flow()).
  if (rule.iif !== undefined && rule.iif !== (flow.iif ?? 'lo')) return false;
  if (rule.oif !== undefined && rule.oif !== flow.oif) return false;
  if (rule.fwmark !== undefined || rule.fwmask !== undefined) {
    const mask = rule.fwmask ?? 0xffff_ffff;
    if ((((rule.fwmark ?? 0) ^ (flow.mark ?? 0)) & mask) !== 0) return false;
  }
  if (rule.tunnelId !== undefined && rule.tunnelId !== '0') return false;
  if (rule.l3mdev === true && flow.vrfTable === undefined) return false;
  if (rule.uids !== undefined && !within(rule.uids, flow.uid ?? 0)) return false;
  if (!prefixMatches(rule.from, flow.sourceBytes, flow.family)) return false;
  if (!prefixMatches(rule.to, flow.destinationBytes, flow.family)) return false;
  if (rule.tos !== undefined && rule.tos !== (flow.tos ?? 0)) return false;
  if (rule.ipProtocol !== undefined && rule.ipProtocol !== (flow.ipProtocol ?? 0)) return false;
  if (rule.sourcePorts !== undefined && !within(rule.sourcePorts, flow.sourcePort ?? 0)) return false;
  if (rule.destinationPorts !== undefined && !within(rule.destinationPorts, flow.destinationPort ?? 0)) return false;
  return rule.unknown === undefined ? true : undefined;
}

function within([first, last]: readonly [number, number], value: number): boolean {
  return value >= first && value <= last;
}

/** A source that is not chosen yet is all zeros in IPv4, and matches no prefix but the empty one in IPv6. */
function prefixMatches(prefix: string | undefined, bytes: Uint8Array | undefined, family: 4 | 6): boolean {
  if (prefix === undefined) return true;
  const parsed = parsePrefix(prefix);
  if (parsed === undefined) return false;
  if (parsed.length === 0) return true;
  if (bytes === undefined) return family === 4 && prefixCovers(parsed, new Uint8Array(4));
  return prefixCovers(parsed, bytes);
}
