import { addressNumber, type Bits, bits, combineBits, maskBits, unknownBits } from '../netfilter/bits.ts';
import type { PacketState, Translation } from '../netfilter/packet.ts';
import type { Verdict } from '../netfilter/ruleset.ts';
import { depends, isSure } from '../netfilter/truth.ts';
import { conntrackSeen, type PacketView } from '../netfilter/view.ts';
import { optionValue } from './matcher.ts';
import { parseNumber } from './ranges.ts';
import type { Option, Specification } from './specification.ts';

type Target = NonNullable<Specification['target']>;

/** Targets that let the packet go on as it is, in what matters here. */
const WITHOUT_EFFECT: readonly string[] = [
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'AUDIT',
  'CLASSIFY',
  'DSCP',
  'TOS',
  'TTL',
  'HL',
  'ECN',
  'TCPMSS',
  'TCPOPTSTRIP',
  'CHECKSUM',
  'SECMARK',
  'CONNSECMARK',
  'SET',
  'TEE',
  'IDLETIMER',
  'LED',
  'RATEEST',
  'ACCOUNT',
  'FLOWOFFLOAD',
];

/** What a target does with a packet that matches; undefined when it lets it go on, or is not known. */
export function targetVerdict(target: Target, family: 4 | 6): Verdict | undefined {
  const { name, options } = target;
  const value = (option: string): string | undefined => optionValue(options, option);
  switch (name) {
    case 'ACCEPT':
      return { kind: 'accept' };
    case 'RETURN':
      return { kind: 'return' };
    case 'DROP':
    case 'TARPIT':
    case 'STEAL':
      return { kind: 'drop' };
    case 'REJECT':
      return { kind: 'reject', with: rejectName(value('--reject-with')) };
    case 'DELUDE':
      return { kind: 'reject', with: 'tcp-reset' };
    case 'QUEUE':
      return { kind: 'queue', number: 0, bypass: false };
    case 'NFQUEUE':
      return queue(options);
    case 'SYNPROXY':
      return { kind: 'synproxy' };
    case 'DNAT':
      return { kind: 'dnat', to: destination(value('--to-destination'), family) };
    case 'NETMAP':
      return { kind: 'dnat', to: { address: unknownBits(width(family)) } };
    case 'REDIRECT': {
      const ports = value('--to-ports');
      return { kind: 'redirect', to: ports === undefined ? {} : { port: portOf(ports) } };
    }
    case 'SNAT':
      return { kind: 'snat', to: destination(value('--to-source'), family) };
    case 'MASQUERADE':
      return { kind: 'snat', to: { address: unknownBits(width(family)) } };
    case 'TPROXY': {
      const port = value('--on-port');
      const address = addressNumber(value('--on-ip') ?? '');
      const given = address === undefined || address.value === 0n ? {} : { address: bits(address.value) };
      return {
        kind: 'tproxy',
        to: { ...given, ...(port === undefined || port === '0' ? {} : { port: portOf(port) }) },
      };
    }
    default:
      return undefined;
  }
}

/** Whether a target, that is no verdict, is known: the packet goes on. */
export function isHarmless({ name }: Target): boolean {
  return WITHOUT_EFFECT.includes(name) || ['MARK', 'CONNMARK', 'CT', 'NOTRACK'].includes(name);
}

/** The packet after a target. */
export function targetEffect({ name, options }: Target, view: PacketView): PacketState {
  const { state } = view;
  switch (name) {
    case 'MARK':
      return { ...state, mark: marked(state.mark, options) };
    case 'TPROXY':
      return { ...state, mark: xmark(state.mark, optionValue(options, '--tproxy-mark')) };
    case 'CONNMARK':
      return connectionMark(state, options);
    case 'NOTRACK':
      return untracked(view);
    case 'CT':
      return options.some((option) => option.name === '--notrack') ? untracked(view) : state;
    default:
      return state;
  }
}

function untracked(view: PacketView): PacketState {
  const seen = conntrackSeen(view);
  if (seen === true) return view.state;
  return { ...view.state, untracked: isSure(seen) ? true : seen };
}

/** `value/mask`: (mark & ~mask) ^ value; without a mask all bits are set. */
function xmark(mark: Bits, text: string | undefined): Bits {
  const [value, mask] = (text ?? '').split('/').map(parseNumber);
  if (value === undefined) return unknownBits(32, depends('mark'));
  const all = 0xffff_ffffn;
  return combineBits('^', maskBits(mark, all & ~(mask ?? all)), bits(value));
}

function marked(mark: Bits, options: readonly Option[]): Bits {
  const [option] = options;
  const value = parseNumber(option?.values[0]);
  switch (option?.name) {
    case '--set-xmark':
      return xmark(mark, option.values[0]);
    case '--set-mark': {
      const [set, mask] = (option.values[0] ?? '').split('/').map(parseNumber);
      const cleared = mask === undefined || set === undefined ? undefined : mask | set;
      return cleared === undefined ? xmark(mark, option.values[0]) : xmark(mark, `${set}/${cleared}`);
    }
    case '--and-mark':
      return value === undefined ? unknownBits(32, depends('mark')) : maskBits(mark, value);
    case '--or-mark':
      return value === undefined ? unknownBits(32, depends('mark')) : combineBits('|', mark, bits(value));
    case '--xor-mark':
      return value === undefined ? unknownBits(32, depends('mark')) : combineBits('^', mark, bits(value));
    default:
      return unknownBits(32, depends('mark'));
  }
}

/** `--save-mark` and `--restore-mark`: (to & ~to-mask) ^ (from & from-mask) (connmark_tg()). */
function connectionMark(state: PacketState, options: readonly Option[]): PacketState {
  const has = (name: string): boolean => options.some((option) => option.name === name);
  const maskOf = (name: string): bigint =>
    parseNumber(optionValue(options, name) ?? optionValue(options, '--mask')) ?? 0xffff_ffffn;
  const [packetMask, connectionMask] = [maskOf('--nfmask'), maskOf('--ctmask')];
  const all = 0xffff_ffffn;
  if (has('--save-mark')) {
    const kept = maskBits(state.ctMark, all & ~connectionMask);
    return { ...state, ctMark: combineBits('^', kept, maskBits(state.mark, packetMask)) };
  }
  if (has('--restore-mark')) {
    const kept = maskBits(state.mark, all & ~packetMask);
    return { ...state, mark: combineBits('^', kept, maskBits(state.ctMark, connectionMask)) };
  }
  return { ...state, ctMark: marked(state.ctMark, options) };
}

/** `icmp-port-unreachable`, `icmp6-adm-prohibited`, `tcp-reset`: without the protocol, and as nft says it. */
function rejectName(text: string | undefined): string {
  const name = (text ?? 'icmp-port-unreachable').replace(/^icmp6?-/, '');
  return name === 'adm-prohibited' ? 'admin-prohibited' : name;
}

function queue(options: readonly Option[]): Verdict {
  const bypass = options.some(({ name }) => name === '--queue-bypass');
  const [first, last] = (optionValue(options, '--queue-balance') ?? '').split(':').map(parseNumber);
  if (first !== undefined && last !== undefined) {
    return { kind: 'queue', number: Number(first), last: Number(last), bypass };
  }
  return { kind: 'queue', number: Number(parseNumber(optionValue(options, '--queue-num')) ?? 0n), bypass };
}

/** `10.0.0.1`, `10.0.0.1:80`, `10.0.0.1-10.0.0.9:80-90`, `[2001:db8::1]:80`, `:80`; a range is not known further. */
function destination(text: string | undefined, family: 4 | 6): Translation {
  const match = /^(?:\[([^\]]*)\]|([^:]*)|([^[]*))(?::(\d+(?:-\d+)?)(?:\/\d+)?)?$/.exec(text ?? '');
  const plain = addressNumber(text ?? '');
  const host = plain === undefined ? (match?.[1] ?? match?.[2] ?? match?.[3]) : text;
  const address = addressNumber(host ?? '');
  const ports = plain === undefined ? match?.[4] : undefined;
  return {
    ...(host === undefined || host === ''
      ? {}
      : { address: address?.family === family ? bits(address.value) : unknownBits(width(family)) }),
    ...(ports === undefined ? {} : { port: portOf(ports) }),
  };
}

function portOf(text: string): Bits {
  const port = parseNumber(text);
  return port === undefined ? unknownBits(16) : bits(port);
}

function width(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}
