import type { Hook, PacketState, Translation } from './packet.ts';
import type { Condition, Doubt } from './truth.ts';
import type { PacketView } from './view.ts';

/** What a rule, or the policy of a chain, does with a packet. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'return' | 'synproxy' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** `with`: `tcp-reset`, or an ICMP code by name: `port-unreachable`. */
  | { readonly kind: 'reject'; readonly with?: string }
  | { readonly kind: 'queue'; readonly number?: number; readonly last?: number; readonly bypass: boolean }
  /** `dnat` and `redirect`; what is absent stays as it is. */
  | { readonly kind: 'dnat' | 'redirect' | 'snat'; readonly to: Translation }
  /** Handed to a local socket, and let through. */
  | { readonly kind: 'tproxy'; readonly to: Translation };

/** One thing that a rule may do with a packet. */
export interface Outcome {
  readonly verdict: Verdict;
  /** Why it is not sure; absent when the rule surely does it. */
  readonly doubt?: Doubt;
  /** The packet then. */
  readonly state: PacketState;
}

/** What comes of a packet at a rule. */
export interface RuleResult {
  readonly outcomes: readonly Outcome[];
  /** The packet at the next rule; absent when it surely does not get there by this one. */
  readonly next?: PacketState;
  /** The rule hands the packet to a local socket, and goes on (`tproxy` of nft). */
  readonly tproxy?: { readonly to: Translation; readonly doubt?: Doubt };
  /** The rule says something that is not understood and may decide about the packet. */
  readonly obscure?: true;
}

/** One rule of any tool. */
export interface FilterRule {
  /** Handle of nft; number in its chain, from 1, of iptables. */
  readonly handle?: number;
  /** Packets that its own counter holds; absent without one. Each packet that met the verdict is among them. */
  readonly packets?: number;
  /** Whether every packet that was counted met the verdict: nothing is asked between the two. */
  readonly countsVerdict: boolean;
  /** What it asks of a packet besides addresses and ports. */
  readonly asks: readonly Condition[];
  /** Identifies the rule within its chain in two readings of the same rule set. */
  readonly key: string;
  /** What the rule does with a packet. */
  evaluate(view: PacketView): RuleResult;
  /** Everything that it may do to a packet that matches. */
  readonly verdicts: readonly Verdict[];
  /** The rule as its tool prints it. */
  text(): string;
}

/** Where a base chain hangs. */
export interface BaseHook {
  readonly hook: Hook;
  readonly priority: number;
  readonly type: 'filter' | 'nat' | 'route';
  /** Devices of an ingress or egress chain; undefined when the reading does not say. */
  readonly devices?: readonly string[];
  readonly policy: 'accept' | 'drop';
  /** The policy as its tool prints it. */
  readonly policyText: string;
  /** Packets that met the policy, where the tool counts them. */
  readonly policyPackets?: number;
}

/** One chain. */
export interface FilterChain {
  readonly name: string;
  readonly base?: BaseHook;
  readonly rules: readonly FilterRule[];
}

/** One table with its chains, of any tool. */
export interface FilterTable {
  readonly tool: string;
  /** `ip`, `ip6`, `inet`, `netdev`. */
  readonly family: string;
  readonly name: string;
  readonly chains: ReadonlyMap<string, FilterChain>;
}

/** Whether a verdict can end the way of a packet, or send it elsewhere. */
export function decides(verdict: Verdict): boolean {
  switch (verdict.kind) {
    case 'accept':
    case 'continue':
    case 'return':
    case 'jump':
    case 'goto':
    case 'snat':
      return false;
    default:
      return true;
  }
}

/** Whether a verdict takes the packet away; a translation does not. */
export function stops(verdict: Verdict): boolean {
  return ['drop', 'reject', 'queue', 'synproxy'].includes(verdict.kind);
}
