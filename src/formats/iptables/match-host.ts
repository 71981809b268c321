import type { AddressType } from '../netfilter/packet.ts';
import { allOf, anyOf, depends, not, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import { inputDevice, outputDevice, type PacketView } from '../netfilter/view.ts';
import type { OptionTests, Scene } from './matcher.ts';
import { inNumbers } from './ranges.ts';
import type { Matcher, Option } from './specification.ts';

function addressIs(
  which: 'source' | 'destination',
  list: string | undefined,
  options: readonly Option[],
  view: PacketView,
): Truth {
  const limited = options.some(({ name }) => name.startsWith('--limit-iface-'));
  const device = !limited
    ? undefined
    : options.some(({ name }) => name === '--limit-iface-in')
      ? inputDevice(view)
      : outputDevice(view);
  return anyOf(
    (list ?? '')
      .split(',')
      .map((type) => view.host.addressType(view.state[which], type.toLowerCase() as AddressType, device)),
  );
}

/** `-m addrtype`. */
export const ADDRTYPE: OptionTests = {
  '--src-type': ([types], { view }, options) => addressIs('source', types, options, view),
  '--dst-type': ([types], { view }, options) => addressIs('destination', types, options, view),
  '--limit-iface-in': null,
  '--limit-iface-out': null,
};

const OWNER: OptionTests = {
  '--uid-owner': ([uids], { view }) =>
    view.packet.uid === undefined ? depends('owner') : inNumbers(view.packet.uid, uids, '-'),
  '--gid-owner': () => depends('owner'),
  '--socket-exists': () => true,
  '--suppl-groups': null,
};

/** `-m owner`: a packet without a socket matches what is negated (owner_mt()). */
export function ownerHolds({ options }: Matcher, scene: Scene): Truth {
  if (scene.view.packet.origin === 'device')
    return options.every(({ negated, name }) => negated || OWNER[name] === null);
  return allOf(
    options.map(({ name, negated, values }) => {
      const test = Object.hasOwn(OWNER, name) ? OWNER[name] : undefined;
      if (test === null) return true;
      const truth = test?.(values, scene, options) ?? UNKNOWN;
      return negated ? not(truth) : truth;
    }),
  );
}

/** `-m rpfilter`: matches what passes the check of the way back; `--invert` turns that round. */
export function reversePathHolds({ options }: Matcher, { view }: Scene): Truth {
  const has = (name: string): boolean => options.some((option) => option.name === name);
  const { returnPath, inDevice } = view.packet;
  const loopback = inDevice?.every((name) => name === 'lo') === true;
  const passed = loopback ? true : has('--loose') ? returnPath.exists : returnPath.sameDevice;
  const sure =
    has('--validmark') && (view.state.mark.value | view.state.mark.unknown) !== 0n ? depends('reverse-path') : passed;
  return has('--invert') ? not(sure) : sure;
}

/** `-m physdev`: a packet that did not come over a bridge matches what is negated (physdev_mt()). */
export function physdevHolds({ options }: Matcher, { view }: Scene): Truth {
  const names = [inputDevice(view), outputDevice(view)];
  const bridged = names.some(
    (name) => name === undefined || name.some((one) => one !== '' && view.host.deviceKind(one) === 'bridge'),
  );
  return bridged ? UNKNOWN : options.every(({ negated }) => negated);
}

/** `-m policy`: whether IPsec took part. */
export function policyHolds({ options }: Matcher, { view }: Scene): Truth {
  if (view.host.ipsec !== false) return UNKNOWN;
  return allOf(
    options.map(({ name, values, negated }): Truth => {
      if (name === '--dir') return true;
      if (name !== '--pol') return UNKNOWN;
      return (values[0] === 'none') !== negated;
    }),
  );
}

/** `-m recent`: `--set` only remembers the address. */
export function recentHolds({ options }: Matcher): Truth {
  const set = options.find(({ name }) => name === '--set');
  return set === undefined ? depends('rate-limit') : !set.negated;
}
