import { eitherState, type PacketState } from '../netfilter/packet.ts';
import type { Outcome, RuleResult, Verdict } from '../netfilter/ruleset.ts';
import { type Doubt, depends, isSure, join, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import type { NftContext, Scene } from './context.ts';
import { mangled, untracked } from './effects.ts';
import { evaluate, lookUp, partsOf } from './expression.ts';
import { foreignEffect, foreignMatch, foreignVerdict } from './foreign.ts';
import { asList, asObject, tagged, textOf } from './json.ts';
import { matchHolds } from './match.ts';
import { ABSENT } from './operand.ts';
import { NO_MATCH, plainVerdict, verdictFor } from './verdict.ts';

/** Statements that change nothing that matters here. */
const WITHOUT_EFFECT: readonly string[] = [
  'counter',
  'log',
  'last',
  'dup',
  'comment',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'reset',
];

/** What the statements of a rule do with a packet. */
export function evaluateRule(statements: readonly unknown[], view: PacketView, context: NftContext): RuleResult {
  return new RuleRun(view, context).run(statements);
}

/** One packet at one rule: its state if all matched so far, and if something that is not sure did not. */
class RuleRun {
  private readonly context: NftContext;
  private readonly view: PacketView;
  private state: PacketState;
  private otherwise: PacketState | undefined;
  private doubt: Doubt | undefined;
  private readonly outcomes: Outcome[] = [];
  private tproxy: RuleResult['tproxy'];
  private obscure = false;
  private ended = false;

  constructor(view: PacketView, context: NftContext) {
    this.view = view;
    this.context = context;
    this.state = view.state;
  }

  run(statements: readonly unknown[]): RuleResult {
    for (const statement of statements) {
      const expression = tagged(statement);
      if (expression === undefined) this.puzzle();
      else if (!this.step(expression.tag, expression.body)) break;
    }
    const next = this.ended ? this.otherwise : this.rest();
    return {
      outcomes: this.outcomes,
      ...(next === undefined ? {} : { next }),
      ...(this.tproxy === undefined ? {} : { tproxy: this.tproxy }),
      ...(this.obscure ? { obscure: true as const } : {}),
    };
  }

  /** The packet behind the rule. */
  private rest(): PacketState {
    return this.otherwise === undefined ? this.state : eitherState(this.otherwise, this.state, this.doubt);
  }

  private scene(): Scene {
    return { ...this.context, view: { ...this.view, state: this.state } };
  }

  /** Runs one statement; false when the rule ends here. */
  private step(tag: string, body: unknown): boolean {
    if (WITHOUT_EFFECT.includes(tag)) return true;
    switch (tag) {
      case 'match':
        return this.ask(matchHolds(body, this.scene()));
      case 'limit':
      case 'quota':
        return this.ask(depends('rate-limit'));
      case 'ct count':
        return this.ask(depends('connection-limit'));
      case 'meter':
      case 'set':
      case 'map':
        return this.ask(this.setHolds(body));
      case 'vmap':
        return this.lookUpVerdict(body);
      case 'mangle': {
        const state = mangled(body, this.scene());
        if (state === undefined) return this.ask(false);
        this.state = state;
        return true;
      }
      case 'notrack':
        this.state = untracked(this.scene());
        return true;
      case 'flow':
        // Only packets of a connection that is known get into a flow table; others end the rule.
        return this.ask(UNKNOWN);
      case 'tproxy':
        return this.hand(body);
      case 'xt':
        return this.foreign(body);
      default:
        return this.decide(tag, body);
    }
  }

  /** Something that must hold for the rule to go on. */
  private ask(truth: Truth): boolean {
    if (truth === true) return true;
    if (truth === false) return false;
    this.otherwise =
      this.otherwise === undefined ? this.state : eitherState(this.otherwise, this.state, this.doubt ?? truth);
    this.doubt = join(this.doubt, truth);
    return true;
  }

  /** A statement that is not understood: it may do anything. */
  private puzzle(): boolean {
    this.obscure = true;
    return this.ask(UNKNOWN);
  }

  /** `add @set {...}`, `meter`: an element with a limit of its own decides as the limit does. */
  private setHolds(body: unknown): Truth {
    const object = asObject(body) ?? {};
    const element = object.elem ?? object.key;
    const inner = tagged(element)?.tag === 'elem' ? asObject(tagged(element)?.body)?.val : element;
    if (element !== undefined && evaluate(inner, this.scene()) === ABSENT) return false;
    for (const statement of asList(object.stmt)) {
      const tag = tagged(statement)?.tag;
      if (tag === 'limit' || tag === 'quota') return depends('rate-limit');
      if (tag === 'ct count') return depends('connection-limit');
    }
    return true;
  }

  private lookUpVerdict(body: unknown): boolean {
    const object = asObject(body) ?? {};
    const key = evaluate(object.key, this.scene());
    if (key === ABSENT) return false;
    const found = lookUp(object.data, partsOf(key), this.scene());
    if (found === undefined) {
      this.obscure = true;
      return false;
    }
    let sure = false;
    for (const { truth, data } of found) {
      const verdict = plainVerdict(data);
      if (verdict === undefined) this.obscure = true;
      else this.end(verdict, isSure(truth) ? undefined : truth);
      sure ||= truth === true;
    }
    if (sure || coversAll(object.key, found.length)) this.ended = true;
    return false;
  }

  private hand(body: unknown): boolean {
    const verdict = verdictFor('tproxy', body, this.scene());
    if (verdict === NO_MATCH || verdict?.kind !== 'tproxy') return false;
    this.tproxy = { to: verdict.to, ...(this.doubt === undefined ? {} : { doubt: this.doubt }) };
    this.state = { ...this.state, toThisHost: true };
    return true;
  }

  private foreign(body: unknown): boolean {
    const name = textOf(body, 'name');
    if (name === undefined) return this.puzzle();
    if (textOf(body, 'type') === 'match') return this.ask(foreignMatch(name));
    const verdict = foreignVerdict(name, this.view.packet.family);
    if (verdict === undefined) this.state = foreignEffect(name, { ...this.view, state: this.state });
    else {
      this.end(verdict, undefined);
      this.ended = true;
    }
    return verdict === undefined;
  }

  private decide(tag: string, body: unknown): boolean {
    const verdict = verdictFor(tag, body, this.scene());
    if (verdict === undefined) return this.puzzle();
    if (verdict === NO_MATCH) return this.ask(false);
    if (verdict.kind === 'continue') return false;
    this.end(verdict, undefined);
    this.ended = true;
    return false;
  }

  private end(verdict: Verdict, doubt: Doubt | undefined): void {
    const whole = join(this.doubt, doubt);
    this.outcomes.push({ verdict, state: this.state, ...(whole === undefined ? {} : { doubt: whole }) });
  }
}

/** Whether a number that is drawn or hashed has as many elements as it has values: one of them is taken. */
function coversAll(key: unknown, elements: number): boolean {
  const expression = tagged(key);
  if (expression === undefined || !['numgen', 'jhash', 'symhash'].includes(expression.tag)) return false;
  return elements > 0 && asObject(expression.body)?.mod === elements;
}
