import { anyBit, type Bits, equalBits } from '../netfilter/bits.ts';
import { allOf, anyOf, depends, isSure, type Truth, UNKNOWN, xor } from '../netfilter/truth.ts';
import { CT_STATES, ctState, ctStatus, hasConnection, type PacketView } from '../netfilter/view.ts';
import type { Scene } from './matcher.ts';
import { type OptionTests, testOptions } from './matcher.ts';
import { hasMark, inNetwork, inNumbers } from './ranges.ts';
import type { Matcher } from './specification.ts';

/** States that are no states but marks of translation. */
const NAT_BITS: Readonly<Record<string, bigint>> = { SNAT: 16n, DNAT: 32n };

function inStates(list: string | undefined, view: PacketView): Truth {
  return anyOf(
    (list ?? '').split(',').map((name): Truth => {
      const state = CT_STATES[name.toLowerCase()];
      if (state !== undefined) return anyBit(ctState(view), BigInt(state));
      const nat = NAT_BITS[name];
      if (nat === undefined) return UNKNOWN;
      return allOf([hasConnection(view), anyBit(ctStatus(view), nat)]);
    }),
  );
}

/** `-m state`. */
export const STATE: OptionTests = { '--state': ([states], { view }) => inStates(states, view) };

function original(view: PacketView, part: 'source' | 'sourcePort' | 'destination' | 'destinationPort'): Bits {
  return (view.packet.connection?.original ?? view.packet)[part];
}

const STATUSES: Readonly<Record<string, bigint>> = {
  EXPECTED: 1n,
  SEEN_REPLY: 2n,
  ASSURED: 4n,
  CONFIRMED: 8n,
};

function inStatuses(list: string | undefined, view: PacketView): Truth {
  return anyOf(
    (list ?? '').split(',').map((name): Truth => {
      if (name === 'NONE') return equalBits(ctStatus(view), 0n);
      const status = STATUSES[name];
      return status === undefined ? UNKNOWN : anyBit(ctStatus(view), status);
    }),
  );
}

const CONNTRACK: OptionTests = {
  '--ctstate': ([states], { view }) => inStates(states, view),
  '--ctproto': ([protocol]) => protocol === 'tcp' || protocol === '6',
  '--ctdir': ([direction], { view }) => direction?.toLowerCase() === view.packet.direction,
  '--ctorigsrc': ([network], { view }) => inNetwork(original(view, 'source'), network, view.packet.family),
  '--ctorigdst': ([network], { view }) => inNetwork(original(view, 'destination'), network, view.packet.family),
  '--ctorigsrcport': ([ports], { view }) => inNumbers(original(view, 'sourcePort'), ports),
  '--ctorigdstport': ([ports], { view }) => inNumbers(original(view, 'destinationPort'), ports),
  '--ctreplsrc': () => depends('ct-state'),
  '--ctrepldst': () => depends('ct-state'),
  '--ctreplsrcport': () => depends('ct-state'),
  '--ctrepldstport': () => depends('ct-state'),
  '--ctstatus': ([statuses], { view }) => inStatuses(statuses, view),
  '--ctexpire': () => depends('ct-state'),
};

/** `-m conntrack`: without a connection only the state is asked (conntrack_mt()). */
export function conntrackHolds(matcher: Matcher, scene: Scene): Truth {
  const state = { ...matcher, options: matcher.options.filter(({ name }) => name === '--ctstate') };
  const others = { ...matcher, options: matcher.options.filter(({ name }) => name !== '--ctstate') };
  const held = allOf(testOptions(CONNTRACK, state, scene));
  if (held === false || others.options.length === 0) return held;
  const connected = hasConnection(scene.view);
  if (connected === false) return state.options.length > 0 && held;
  if (!isSure(connected)) return allOf([held, connected]);
  return allOf([held, ...testOptions(CONNTRACK, others, scene)]);
}

/** `-m mark`. */
export const MARK: OptionTests = { '--mark': ([mark], { view }) => hasMark(view.state.mark, mark) };

/** `-m connmark`: without a connection it does not match, negated or not (connmark_mt()). */
export function connmarkHolds({ options }: Matcher, { view }: Scene): Truth {
  const marks = options.map(({ name, values, negated }) =>
    xor(name === '--mark' ? hasMark(view.state.ctMark, values[0]) : UNKNOWN, negated),
  );
  return allOf([hasConnection(view), ...marks]);
}
