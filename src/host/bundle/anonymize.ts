import { randomBytes } from 'node:crypto';
import { SLL2_BYTES, Sll2Stream, sll2FileHeader } from '../sll2-stream.ts';
import { type AddressReplacer, canonicalAddress, replaceAddresses } from './address-text.ts';
import { PacketAnonymizer } from './anonymize-packets.ts';
import type { Answer, Bundle, Entry, Question, Refusal } from './entry.ts';
import { hexAddresses, hexForms, replaceHex } from './hex-addresses.ts';
import { hostNames, nameReplacer, replaceOwnName } from './host-names.ts';
import { Pseudonyms } from './pseudonyms.ts';

/** A key under which no address becomes one that is there is looked for so many times. */
const TRIES = 64;

/** Replaces addresses and names of hosts throughout a recording, consistently, so that it can be judged as before. */
export function anonymize(bundle: Bundle): Bundle {
  const seen = seenIn(bundle.entries);
  const pseudonyms = choosePseudonyms(seen);
  const addresses = new Map([...seen.addresses].map((address) => [address, pseudonyms.address(address)]));
  const hex = hexForms(addresses);
  const names = nameReplacer(hostNames(bundle.entries), (name) => pseudonyms.name(name));
  const packets = new PacketAnonymizer(pseudonyms);
  const replacer: AddressReplacer = {
    address: (address, length) =>
      length === undefined ? pseudonyms.address(address) : pseudonyms.network(address, length),
    mac(digits) {
      const bytes = Buffer.from(digits, 'hex');
      pseudonyms.macBytes(bytes);
      return bytes.toString('hex');
    },
  };
  const { header, entries } = bundle;
  return {
    header: { ...header, on: header.on.replace(/:.*$/s, ''), anonymized: true },
    entries: entries.map(({ question, answer, refusal, watching }) => {
      const isProcNet = isOfProcNet(question);
      const text = (original: string): string =>
        names(replaceHex(replaceAddresses(original, replacer), hex, isProcNet));
      const ownName = (name: string): string => pseudonyms.name(name);
      const answered = (original: string): string => text(replaceOwnName(question, original, ownName));
      return {
        question: replaceInQuestion(question, text),
        watching,
        ...(answer === undefined ? {} : { answer: replaceInAnswer(answer, answered, packets) }),
        ...(refusal === undefined ? {} : { refusal: replaceInRefusal(refusal, text) }),
      };
    }),
  };
}

function replaceInRefusal({ code, message, hint }: Refusal, text: (original: string) => string): Refusal {
  return { code, message: text(message), ...(hint === undefined ? {} : { hint: text(hint) }) };
}

interface Seen {
  readonly addresses: ReadonlySet<string>;
  readonly broadcasts: readonly string[];
}

function seenIn(entries: readonly Entry[]): Seen {
  const addresses = new Set<string>();
  const broadcasts = new Set<string>();
  const note = {
    address(address: string): string {
      addresses.add(address);
      return address;
    },
    mac: (digits: string): string => digits,
  };
  for (const entry of entries) {
    for (const text of textsOf(entry)) {
      replaceAddresses(text, note);
      for (const [, address = ''] of text.matchAll(/\b(?:brd|broadcast"?:?)\s*"?(\d+\.\d+\.\d+\.\d+)/g))
        broadcasts.add(address);
    }
    if (isOfProcNet(entry.question)) {
      for (const text of textsOf(entry)) for (const address of hexAddresses(text)) addresses.add(address);
    }
    if (entry.answer !== undefined && 'packets' in entry.answer) addressesOfPackets(entry.answer.packets, addresses);
  }
  return { addresses, broadcasts: [...broadcasts] };
}

/** A key under which, if there is one, no address becomes another that is in the recording. */
function choosePseudonyms({ addresses, broadcasts }: Seen): Pseudonyms {
  let best: Pseudonyms | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  const movable = [...addresses].filter((address) => canMove(address));
  for (let tries = 0; tries < TRIES && fewest > 0; tries++) {
    const pseudonyms = new Pseudonyms(randomBytes(32), broadcasts);
    const clashes = movable.filter((address) => addresses.has(pseudonyms.address(address))).length;
    if (clashes < fewest) {
      best = pseudonyms;
      fewest = clashes;
    }
  }
  return best as Pseudonyms;
}

const SOME_KEYS = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3), Uint8Array.of(4)].map(
  (key) => new Pseudonyms(key),
);

/** Whether an address is one that pseudonyms replace at all. */
function canMove(address: string): boolean {
  return SOME_KEYS.some((pseudonyms) => pseudonyms.address(address) !== address);
}

function isOfProcNet(question: Question): boolean {
  const words = 'path' in question ? [question.path] : 'argv' in question ? question.argv : [];
  return words.some((word) => /^\/proc\/(?:[^/]+\/)?net\//.test(word));
}

function* textsOf({ question, answer, refusal }: Entry): Generator<string> {
  const words = Object.values(question).flat();
  for (const word of words) if (typeof word === 'string') yield word;
  if (refusal !== undefined) yield refusal.message;
  if (answer === undefined) return;
  if ('text' in answer) yield answer.text;
  else if ('names' in answer) yield* answer.names;
  else if ('stdout' in answer) yield* [answer.stdout, answer.stderr];
  else if ('outcome' in answer && answer.outcome.local !== undefined) yield answer.outcome.local.address;
}

function replaceInQuestion(question: Question, text: (original: string) => string): Question {
  switch (question.op) {
    case 'run':
      return {
        ...question,
        argv: question.argv.map((word, index) => (index === 0 ? word : text(word))),
        ...(question.input === undefined ? {} : { input: text(question.input) }),
      };
    case 'stream':
      return { ...question, argv: question.argv.map((word, index) => (index === 0 ? word : text(word))) };
    case 'capture':
      return question.peer === undefined ? question : { ...question, peer: text(question.peer) };
    case 'connect':
      return { ...question, address: text(question.address) };
    case 'now':
      return question;
    default:
      return { ...question, path: text(question.path) };
  }
}

function replaceInAnswer(answer: Answer, text: (original: string) => string, packets: PacketAnonymizer): Answer {
  if ('text' in answer) return { text: text(answer.text) };
  if ('names' in answer) return { names: answer.names.map(text) };
  if ('stdout' in answer) return { ...answer, stdout: text(answer.stdout), stderr: text(answer.stderr) };
  if ('packets' in answer) return { ...answer, packets: replaceInPackets(answer.packets, packets) };
  if ('outcome' in answer && answer.outcome.local !== undefined) {
    const { address, port } = answer.outcome.local;
    return { outcome: { ...answer.outcome, local: { address: text(address), port } } };
  }
  return answer;
}

function replaceInPackets(records: Uint8Array, packets: PacketAnonymizer): Uint8Array {
  const stream = new Sll2Stream((view, start, end) => {
    packets.packet(view, start, end);
    return end;
  });
  stream.push(sll2FileHeader(0));
  return stream.push(records);
}

/** Notes the addresses in the headers of packets. */
function addressesOfPackets(records: Uint8Array, addresses: Set<string>): void {
  const stream = new Sll2Stream((view, start, end) => {
    const ip = start + SLL2_BYTES;
    const version = ip < end ? view.getUint8(ip) >>> 4 : 0;
    const [first, length, count] = version === 4 ? [ip + 12, 4, 20] : [ip + 8, 16, 40];
    if ((version === 4 || version === 6) && ip + count <= end) {
      for (const at of [first, first + length]) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length);
        const text =
          length === 4 ? bytes.join('.') : (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
        addresses.add(canonicalAddress(text) ?? text);
      }
    }
    return start;
  });
  stream.push(sll2FileHeader(0));
  stream.push(records);
}
