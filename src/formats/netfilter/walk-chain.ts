import { eitherState, type FilterPacket, type Hook, type PacketState, sameWay, type Translation } from './packet.ts';
import {
  type BaseHook,
  decides,
  type FilterChain,
  type FilterRule,
  type FilterTable,
  type Outcome,
  stops,
  type Verdict,
} from './ruleset.ts';
import { type Doubt, join, UNKNOWN } from './truth.ts';
import { type FilterHost, inputDevice, type PacketView } from './view.ts';

/** A packet on its way, and why it may not come so far. */
export interface Flow {
  readonly state: PacketState;
  readonly doubt?: Doubt;
}

/** A rule or policy that may decide about the packet. */
export interface WalkHit {
  readonly table: FilterTable;
  /** The chain that holds the rule. */
  readonly chain: FilterChain;
  readonly base: FilterChain;
  readonly hook: Hook;
  /** Absent: the policy of the chain. */
  readonly rule?: FilterRule;
  /** Rules by which the packet came into the chain. */
  readonly via: readonly FilterRule[];
  readonly verdict: Verdict;
  /** Where it leads, of a translation. */
  readonly to?: Translation;
  /** Absent: it surely gets here, and surely is decided here. */
  readonly doubt?: Doubt;
  /** Place on the way: of two hits the packet meets first that whose numbers are smaller. */
  readonly place: readonly number[];
}

/** What a walk needs to know besides the rules. */
export interface WalkTerms {
  readonly host: FilterHost;
  /** Whether the rule surely did nothing to this very packet: its counter stood still while the packet passed. */
  stoodStill(table: FilterTable, chain: FilterChain, rule: FilterRule | undefined): boolean;
}

/** NFT_JUMP_STACK_SIZE: the kernel allows no deeper jumps. */
const MAX_DEPTH = 16;
/** Rules that one walk evaluates at most. */
const MAX_RULES = 100_000;
/** Ways that one packet may take at once. */
const MAX_FLOWS = 8;

/** Walks one packet through the rules of chains; collects what may decide about it. */
export class ChainWalk {
  readonly hits: WalkHit[] = [];
  /** Something was not looked at, or not understood, that may decide. */
  incomplete = false;
  /** Where the packet is. */
  at: { readonly hook: Hook; readonly priority: number } = { hook: 'prerouting', priority: 0 };
  private readonly terms: WalkTerms;
  private readonly packet: FilterPacket;
  private rulesLeft = MAX_RULES;
  private place: number[] = [];
  private table!: FilterTable;
  private base!: FilterChain;
  private accepted: Flow[] = [];
  private via: FilterRule[] = [];

  constructor(packet: FilterPacket, terms: WalkTerms) {
    this.packet = packet;
    this.terms = terms;
  }

  /** The packet as an expression sees it here. */
  viewOf(state: PacketState): PacketView {
    return { packet: this.packet, state, host: this.terms.host, ...this.at };
  }

  /** Walks through a base chain. What comes out goes on to the next one; several when they differ in where they lead. */
  walkBase(table: FilterTable, chain: FilterChain, base: BaseHook, flow: Flow, place: readonly number[]): Flow[] {
    this.place = [...place];
    this.table = table;
    this.base = chain;
    this.accepted = [];
    const hitsBefore = this.hits.length;
    const { out } = this.walkRules(chain, flow, 0);
    if (out !== undefined) this.applyPolicy(chain, base.policy, out);
    let doubt = flow.doubt;
    for (const hit of this.hits.slice(hitsBefore)) if (stops(hit.verdict)) doubt = join(doubt, hit.doubt);
    return mergeFlows(this.accepted, doubt);
  }

  private applyPolicy(chain: FilterChain, policy: 'accept' | 'drop', flow: Flow): void {
    if (policy === 'accept') {
      this.accepted.push(flow);
      return;
    }
    const still = this.terms.stoodStill(this.table, chain, undefined);
    if (still && flow.doubt !== undefined) return;
    const doubt = still ? UNKNOWN : flow.doubt;
    this.hit(chain, undefined, { kind: 'drop' }, doubt);
    if (still) this.accepted.push({ state: flow.state, doubt: UNKNOWN });
  }

  /** `out`: the packet behind the last rule, or returned. `leaks`: some of it may have ended in here. */
  private walkRules(chain: FilterChain, flow: Flow, depth: number): { out?: Flow; leaks: boolean } {
    if (depth > MAX_DEPTH) {
      this.incomplete = true;
      return { out: { state: flow.state, doubt: join(flow.doubt, UNKNOWN)! }, leaks: true };
    }
    let current: Flow | undefined = flow;
    let returned: Flow | undefined;
    let leaks = false;
    const at = this.place.length;
    for (let index = 0; index < chain.rules.length && current !== undefined; index++) {
      if (this.rulesLeft-- <= 0) {
        this.incomplete = true;
        break;
      }
      const rule: FilterRule = chain.rules[index]!;
      this.place[at] = index;
      this.place.length = at + 1;
      const result = rule.evaluate(this.viewOf(current.state));
      if (result.obscure) this.incomplete = true;
      if (result.tproxy !== undefined) {
        const verdict: Verdict = { kind: 'tproxy', to: result.tproxy.to };
        this.hit(chain, rule, verdict, join(current.doubt, result.tproxy.doubt), result.tproxy.to);
      }
      const before: Flow = current;
      let after: Flow | undefined = result.next === undefined ? undefined : withDoubt(result.next, before.doubt);
      const still = result.outcomes.length > 0 && this.terms.stoodStill(this.table, chain, rule);
      if (still) after ??= before;
      for (const outcome of still ? refuted(result.outcomes) : result.outcomes) {
        const branch = withDoubt(outcome.state, join(before.doubt, outcome.doubt));
        const lessened = (): void => {
          if (after !== undefined) after = withDoubt(after.state, join(after.doubt, outcome.doubt));
        };
        const { verdict } = outcome;
        if (verdict.kind === 'jump' || verdict.kind === 'goto') {
          const target = this.table.chains.get(verdict.chain);
          this.via.push(rule);
          const inner =
            target === undefined ? { out: branch, leaks: false } : this.walkRules(target, branch, depth + 1);
          this.via.pop();
          this.place.length = at + 1;
          leaks ||= inner.leaks;
          if (verdict.kind === 'goto') {
            returned = either(returned, inner.out);
            lessened();
          } else if (after === undefined) after = inner.out;
          else if (!inner.leaks)
            after = withDoubt(eitherState(after.state, inner.out!.state, outcome.doubt), after.doubt);
          else {
            lessened();
            after = either(after, inner.out);
          }
        } else if (verdict.kind === 'return') {
          returned = either(returned, branch);
          lessened();
        } else if (verdict.kind === 'continue') {
          after =
            after === undefined
              ? branch
              : withDoubt(eitherState(after.state, branch.state, outcome.doubt), after.doubt);
        } else {
          leaks = true;
          this.end(chain, rule, verdict, branch);
          lessened();
        }
      }
      current = after;
    }
    this.place.length = at;
    const out = either(current, returned);
    if (out === undefined) return { leaks };
    return { out: leaks ? out : withDoubt(out.state, flow.doubt), leaks };
  }

  private end(chain: FilterChain, rule: FilterRule, verdict: Verdict, flow: Flow): void {
    switch (verdict.kind) {
      case 'accept':
        this.accepted.push(flow);
        return;
      case 'dnat':
        this.hit(chain, rule, verdict, flow.doubt, verdict.to);
        this.accepted.push(withDoubt(translated(flow.state, verdict.to), flow.doubt));
        return;
      case 'redirect': {
        const to = { ...verdict.to, address: this.terms.host.redirectAddress(inputDevice(this.viewOf(flow.state))) };
        this.hit(chain, rule, verdict, flow.doubt, to);
        const state = translated(flow.state, to);
        this.accepted.push(withDoubt({ ...state, toThisHost: true }, flow.doubt));
        return;
      }
      case 'snat':
        this.accepted.push(withDoubt(sourceTranslated(flow.state, verdict.to), flow.doubt));
        return;
      case 'tproxy':
        this.hit(chain, rule, verdict, flow.doubt, verdict.to);
        this.accepted.push(withDoubt({ ...flow.state, toThisHost: true }, flow.doubt));
        return;
      case 'queue':
        this.endInQueue(chain, rule, verdict, flow);
        return;
      default:
        this.hit(chain, rule, verdict, flow.doubt);
    }
  }

  private endInQueue(
    chain: FilterChain,
    rule: FilterRule,
    verdict: Extract<Verdict, { kind: 'queue' }>,
    flow: Flow,
  ): void {
    const bound = verdict.number === undefined ? undefined : this.terms.host.queueBound(verdict.number);
    // Nobody listens: with `bypass` it is as if accepted, without it the kernel drops (nf_queue()).
    if (bound === false) {
      if (verdict.bypass) this.accepted.push(flow);
      else this.hit(chain, rule, verdict, flow.doubt);
      return;
    }
    const unsure = bound === undefined && verdict.bypass ? join(flow.doubt, UNKNOWN) : flow.doubt;
    this.hit(chain, rule, verdict, unsure);
    // A program decides; it may let the packet through.
    this.accepted.push(withDoubt(flow.state, join(flow.doubt, UNKNOWN)));
  }

  private hit(
    chain: FilterChain,
    rule: FilterRule | undefined,
    verdict: Verdict,
    doubt: Doubt | undefined,
    to?: Translation,
  ): void {
    if (!decides(verdict)) return;
    this.hits.push({
      table: this.table,
      chain,
      base: this.base,
      hook: this.at.hook,
      ...(rule === undefined ? {} : { rule }),
      via: [...this.via],
      verdict,
      ...(to === undefined ? {} : { to }),
      ...(doubt === undefined ? {} : { doubt }),
      place: rule === undefined ? [...this.place, Number.POSITIVE_INFINITY] : [...this.place],
    });
  }
}

/** A counter that stood still refutes what was in doubt, and puts in doubt what seemed sure. */
function refuted(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.filter(({ doubt }) => doubt === undefined).map((outcome) => ({ ...outcome, doubt: UNKNOWN }));
}

function withDoubt(state: PacketState, doubt: Doubt | undefined): Flow {
  return doubt === undefined ? { state } : { state, doubt };
}

function either(a: Flow | undefined, b: Flow | undefined): Flow | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const doubt = join(a.doubt, b.doubt);
  return withDoubt(eitherState(a.state, b.state, doubt), doubt);
}

/** Flows that lead to the same place are one again; `doubt` is why none of them may get there. */
function mergeFlows(flows: readonly Flow[], doubt: Doubt | undefined): Flow[] {
  const merged: Flow[] = [];
  for (const flow of flows) {
    const index = merged.findIndex((other) => sameWay(other.state, flow.state));
    if (index < 0 && merged.length < MAX_FLOWS) merged.push(flow);
    else {
      const at = Math.max(index, 0);
      merged[at] = either(merged[at], flow)!;
    }
  }
  if (merged.length === 1) return [withDoubt(merged[0]!.state, doubt)];
  return merged.map((flow) => withDoubt(flow.state, join(doubt, flow.doubt)));
}

function translated(state: PacketState, to: Translation): PacketState {
  return {
    ...state,
    destination: to.address ?? state.destination,
    destinationPort: to.port ?? state.destinationPort,
    destinationNat: to,
  };
}

function sourceTranslated(state: PacketState, to: Translation): PacketState {
  return {
    ...state,
    source: to.address ?? state.source,
    sourcePort: to.port ?? state.sourcePort,
    sourceNat: to,
  };
}
