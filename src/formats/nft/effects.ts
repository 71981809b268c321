import { type Bits, unknownBits } from '../netfilter/bits.ts';
import type { PacketState } from '../netfilter/packet.ts';
import { isSure, UNKNOWN } from '../netfilter/truth.ts';
import { conntrackSeen, hasConnection } from '../netfilter/view.ts';
import type { Scene } from './context.ts';
import { INTEGER, IPV4, IPV6 } from './data-types.ts';
import { evaluate, single } from './expression.ts';
import { asObject, tagged, textOf } from './json.ts';
import { ABSENT } from './operand.ts';

/** The packet after `notrack`; without effect once the packet has a connection (nft_notrack_eval()). */
export function untracked({ view }: Scene): PacketState {
  const seen = conntrackSeen(view);
  if (seen === true) return view.state;
  return { ...view.state, untracked: isSure(seen) ? true : seen };
}

/** The packet after `{"mangle": {"key", "value"}}`; undefined when the value cannot be had, so that the rule ends. */
export function mangled(body: unknown, scene: Scene): PacketState | undefined {
  const { state } = scene.view;
  const object = asObject(body);
  const key = tagged(object?.key);
  const field = textOf(key?.body, 'key');
  const set = (width: number, type = INTEGER): Bits | undefined => {
    const value = evaluate(object?.value, scene, type);
    if (value === ABSENT) return undefined;
    const one = single(value);
    return one.bits ?? unknownBits(width, one.doubt ?? UNKNOWN);
  };
  if (key?.tag === 'meta' && field === 'mark') {
    const mark = set(32);
    return mark === undefined ? undefined : { ...state, mark };
  }
  if (key?.tag === 'ct' && field === 'mark') {
    const ctMark = set(32);
    if (ctMark === undefined) return undefined;
    return hasConnection(scene.view) === false ? state : { ...state, ctMark };
  }
  if (key?.tag === 'payload') return rewritten(key.body, set, scene);
  return state;
}

/** A header field is written: translation without connection tracking. */
function rewritten(
  body: unknown,
  set: (width: number, type?: typeof INTEGER) => Bits | undefined,
  { view }: Scene,
): PacketState | undefined {
  const { state, packet } = view;
  const protocol = textOf(body, 'protocol');
  const field = textOf(body, 'field');
  const isIp = protocol === 'ip' || protocol === 'ip6';
  if (isIp && (protocol === 'ip') !== (packet.family === 4)) return undefined;
  if (isIp && (field === 'saddr' || field === 'daddr')) {
    const address = packet.family === 4 ? set(32, IPV4) : set(128, IPV6);
    if (address === undefined) return undefined;
    return field === 'saddr' ? { ...state, source: address } : { ...state, destination: address };
  }
  if ((protocol === 'tcp' || protocol === 'th') && (field === 'sport' || field === 'dport')) {
    const port = set(16);
    if (port === undefined) return undefined;
    return field === 'sport' ? { ...state, sourcePort: port } : { ...state, destinationPort: port };
  }
  return state;
}
