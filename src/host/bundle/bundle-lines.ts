import { InputError } from '../../model/errors.ts';
import type { HostErrorCode } from '../host.ts';
import type { Answer, BundleHeader, Entry, Question, Refusal } from './entry.ts';

/** Version of the format that is written; older ones are read too. */
export const BUNDLE_VERSION = 1;

/** Packets of a capture are spread over lines of so many bytes. */
const PACKET_BYTES = 1 << 20;

const ERROR_CODES: ReadonlySet<string> = new Set<HostErrorCode>([
  'not-found',
  'no-permission',
  'timed-out',
  'not-recorded',
  'unreachable',
  'failed',
]);

type Json = Readonly<Record<string, unknown>>;

/**
 * The lines of a bundle: the header, one line for each entry, lines with packets behind the capture that they belong to, and a last
 * line that tells how many entries there are.
 */
export function* bundleLines(header: BundleHeader, entries: Iterable<Entry>): Generator<string> {
  yield JSON.stringify(header);
  let count = 0;
  for (const { question, watching, answer, refusal } of entries) {
    count++;
    yield JSON.stringify({ question, watching, answer: answer === undefined ? undefined : toJson(answer), refusal });
    if (answer === undefined || !('packets' in answer)) continue;
    for (let at = 0; at < answer.packets.length; at += PACKET_BYTES) {
      yield JSON.stringify({ packets: base64(answer.packets.subarray(at, at + PACKET_BYTES)) });
    }
  }
  yield JSON.stringify({ end: count });
}

function toJson(answer: Answer): unknown {
  if ('packets' in answer) return { capture: { lost: answer.lost, bytes: answer.packets.length, cut: answer.cut } };
  if ('ns' in answer) return { ns: String(answer.ns) };
  return answer;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Reads the lines of a bundle, one by one; trusts none of them. */
export class BundleReader {
  readonly entries: Entry[] = [];
  private readonly name: string;
  private found: BundleHeader | undefined;
  private capture: { readonly index: number; readonly pieces: Uint8Array[]; missing: number } | undefined;
  private isWhole = false;

  /** @param name of the file, for messages. */
  constructor(name: string) {
    this.name = name;
  }

  /** Takes the next line. @throws InputError when it cannot belong there. */
  take(line: string): void {
    const value = this.parse(line);
    if (this.found === undefined) {
      this.found = this.header(value);
    } else if (this.isWhole) {
      throw this.damaged('something follows its end');
    } else if (typeof value.end === 'number') {
      this.endCapture();
      if (value.end !== this.entries.length) throw this.damaged('entries are missing');
      this.isWhole = true;
    } else if (typeof value.packets === 'string') {
      this.addPackets(value.packets);
    } else {
      this.endCapture();
      this.addEntry(value);
    }
  }

  /** @throws InputError when lines are missing. */
  finish(): { readonly header: BundleHeader; readonly entries: readonly Entry[] } {
    if (this.found === undefined) throw this.noBundle();
    if (!this.isWhole) throw this.damaged('its end is missing');
    return { header: this.found, entries: this.entries };
  }

  /** What to say of a file that is no bundle at all. */
  noBundle(): InputError {
    return new InputError({
      code: 'not-a-bundle',
      message: `${this.name} is no recording of synscope.`,
      hint: 'Make one with: synscope record -o FILE',
    });
  }

  damaged(how: string): InputError {
    return new InputError({ code: 'damaged', message: `${this.name} is damaged: ${how}.` });
  }

  private parse(line: string): Json {
    try {
      const value: unknown = JSON.parse(line);
      if (isObject(value)) return value;
    } catch {
      // Said below.
    }
    throw this.found === undefined ? this.noBundle() : this.damaged('a line of it is not what it should be');
  }

  private header(value: Json): BundleHeader {
    if (value.format !== 'synscope-bundle' || !isCount(value.version)) throw this.noBundle();
    const { version, synscope, recordedAt, on, ports, redacted, anonymized } = value;
    if (version > BUNDLE_VERSION) {
      throw new InputError({
        code: 'newer-version',
        message: `${this.name} was written by a newer synscope (format ${version}, this one reads up to ${BUNDLE_VERSION}).`,
        hint: 'Update synscope.',
      });
    }
    if (
      !isText(synscope) ||
      !isText(recordedAt) ||
      !isText(on) ||
      !isTexts(redacted) ||
      typeof anonymized !== 'boolean'
    ) {
      throw this.damaged('its header is incomplete');
    }
    if (!Array.isArray(ports) || !ports.every(isPort)) throw this.damaged('its header is incomplete');
    return { format: 'synscope-bundle', version, synscope, recordedAt, on, ports, redacted, anonymized };
  }

  private addEntry({ question, watching, answer, refusal }: Json): void {
    const asked = parseQuestion(question);
    const said = refusal === undefined ? undefined : parseRefusal(refusal);
    if (asked === undefined || typeof watching !== 'boolean' || (refusal !== undefined && said === undefined)) {
      throw this.damaged(`entry ${this.entries.length + 1} is not what it should be`);
    }
    const known = answer === undefined ? undefined : this.parseAnswer(asked, answer);
    if (known === undefined && said === undefined) throw this.damaged(`entry ${this.entries.length + 1} has no answer`);
    const entry: Entry = {
      question: asked,
      watching,
      ...(known === undefined ? {} : { answer: known }),
      ...(said === undefined ? {} : { refusal: said }),
    };
    this.entries.push(entry);
    if (known !== undefined && 'packets' in known && isObject(answer) && isObject(answer.capture)) {
      this.capture = { index: this.entries.length - 1, pieces: [], missing: Number(answer.capture.bytes) };
    }
  }

  private parseAnswer(question: Question, value: unknown): Answer {
    const answer = isObject(value) ? parseAnswer(question, value) : undefined;
    if (answer === undefined)
      throw this.damaged(`the answer of entry ${this.entries.length + 1} is not what it should be`);
    return answer;
  }

  private addPackets(text: string): void {
    if (this.capture === undefined) throw this.damaged('packets belong to no capture');
    const piece = Buffer.from(text, 'base64');
    this.capture.missing -= piece.length;
    if (piece.length === 0 || this.capture.missing < 0) throw this.damaged('a capture is longer than it says');
    this.capture.pieces.push(piece);
  }

  private endCapture(): void {
    if (this.capture === undefined) return;
    const { index, pieces, missing } = this.capture;
    if (missing !== 0) throw this.damaged('packets are missing');
    const entry = this.entries[index] as Entry;
    this.entries[index] = {
      ...entry,
      answer: { ...(entry.answer as Answer & { readonly lost: number }), packets: Buffer.concat(pieces) },
    };
    this.capture = undefined;
  }
}

function parseQuestion(value: unknown): Question | undefined {
  if (!isObject(value)) return undefined;
  const { op, path, argv, input, port, peer, snapLengthBytes, address, timeoutMs, holdMs, ttl } = value;
  switch (op) {
    case 'readFile':
    case 'listDirectory':
      return isText(path) ? { op, path } : undefined;
    case 'run':
      if (!isTexts(argv) || !isOptional(input, isText)) return undefined;
      return { op, argv, ...optional({ input }) };
    case 'stream':
      return isTexts(argv) ? { op, argv } : undefined;
    case 'capture':
      if (!isOptional(port, isPort) || !isOptional(peer, isText) || !isOptional(snapLengthBytes, isCount))
        return undefined;
      return { op, ...optional({ port, peer, snapLengthBytes }) };
    case 'connect':
      if (!isText(address) || !isPort(port) || !isCount(timeoutMs)) return undefined;
      if (!isOptional(holdMs, isCount) || !isOptional(ttl, isCount)) return undefined;
      return { op, address, port, timeoutMs, ...optional({ holdMs, ttl }) };
    case 'now':
      return { op };
    default:
      return undefined;
  }
}

function parseAnswer(question: Question, value: Json): Answer | undefined {
  const { text, names, exitCode, stdout, stderr, capture, outcome, ns } = value;
  switch (question.op) {
    case 'readFile':
    case 'stream':
      return isText(text) ? { text } : undefined;
    case 'listDirectory':
      return isTexts(names) ? { names } : undefined;
    case 'run':
      return isCount(exitCode) && isText(stdout) && isText(stderr) ? { exitCode, stdout, stderr } : undefined;
    case 'capture':
      if (!isObject(capture) || !isCount(capture.lost) || !isCount(capture.bytes)) return undefined;
      return { packets: new Uint8Array(0), lost: capture.lost, ...(capture.cut === true ? { cut: true } : {}) };
    case 'connect':
      return isObject(outcome) ? parseOutcome(outcome) : undefined;
    case 'now':
      return isText(ns) && /^\d{1,19}$/.test(ns) ? { ns: BigInt(ns) } : undefined;
  }
}

function parseOutcome({ local, errno, elapsedMs, afterwards }: Json): Answer | undefined {
  if (typeof elapsedMs !== 'number' || !(elapsedMs >= 0) || !isOptional(errno, isText)) return undefined;
  if (!isOptional(afterwards, isAfterwards)) return undefined;
  if (local === undefined) return { outcome: { elapsedMs, ...optional({ errno, afterwards }) } };
  if (!isObject(local) || !isText(local.address) || !isPort(local.port)) return undefined;
  const from = { address: local.address, port: local.port };
  return { outcome: { elapsedMs, local: from, ...optional({ errno, afterwards }) } };
}

function parseRefusal(value: unknown): Refusal | undefined {
  if (!isObject(value)) return undefined;
  const { code, message, hint } = value;
  if (!isText(code) || !ERROR_CODES.has(code) || !isText(message) || !isOptional(hint, isText)) return undefined;
  return { code: code as HostErrorCode, message, ...optional({ hint }) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPort(value: unknown): value is number {
  return isCount(value) && value <= 65535;
}

function isAfterwards(value: unknown): value is 'silent' | 'data' | 'closed' | 'reset' {
  return value === 'silent' || value === 'data' || value === 'closed' || value === 'reset';
}

function isOptional<T>(value: unknown, is: (value: unknown) => value is T): value is T | undefined {
  return value === undefined || is(value);
}

/** The properties that are there. */
function optional<T extends object>(values: T): { -readonly [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
