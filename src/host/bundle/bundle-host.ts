import { runBpf } from '../../formats/bpf/classic-bpf.ts';
import { parseFilesInLines } from '../../formats/procfs/files-in-lines.ts';
import { parseAddress } from '../../formats/wire/address.ts';
import { handshakeFilter } from '../handshake-filter.ts';
import {
  type CaptureSpec,
  type CommandResult,
  type ConnectOutcome,
  type ConnectRequest,
  type Host,
  type HostCapture,
  HostError,
  type HostStream,
  type RunOptions,
} from '../host.ts';
import { SLL2_BYTES, Sll2Stream, sll2FileHeader } from '../sll2-stream.ts';
import { type Answer, type Bundle, type Entry, keyOf, type Question } from './entry.ts';

const SNAP_LENGTH_BYTES = 262_144;
/** Packets are handed over in pieces of so many bytes. */
const PIECE_BYTES = 1 << 20;

interface Recorded {
  /** Answers from before the watch, and those from then on. */
  readonly before: Entry[];
  readonly watching: Entry[];
  /** How often it was asked. */
  asked: number;
}

/**
 * A recording that answers as the host did. Until a watch begins, the n-th time a question is asked gives its n-th answer from
 * then, and the last one repeats. A watch is over as soon as it begins: all packets are there at once, and answers are the
 * latest ones.
 */
export class BundleHost implements Host {
  readonly spec: string;
  private readonly recorded = new Map<string, Recorded>();
  private readonly captures: readonly Entry[];
  private watching = false;
  /** The clock was asked since the watch began. */
  private hasBegun = false;

  /** @param spec what `--on` names it. */
  constructor(bundle: Bundle, spec: string) {
    this.spec = spec;
    this.captures = bundle.entries.filter(({ question }) => question.op === 'capture');
    for (const entry of bundle.entries) {
      const key = keyOf(entry.question);
      let recorded = this.recorded.get(key);
      if (recorded === undefined) {
        recorded = { before: [], watching: [], asked: 0 };
        this.recorded.set(key, recorded);
      }
      recorded[entry.watching ? 'watching' : 'before'].push(entry);
    }
  }

  async readFile(path: string): Promise<string> {
    const answer = this.answer({ op: 'readFile', path }, `${path} was not read when this was recorded`);
    return 'text' in answer ? answer.text : wrong();
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    const answer = this.answer({ op: 'listDirectory', path }, `${path} was not listed when this was recorded`);
    return 'names' in answer ? answer.names : wrong();
  }

  async run(argv: readonly string[], { input }: RunOptions = {}): Promise<CommandResult> {
    const question: Question = { op: 'run', argv, ...(input === undefined ? {} : { input }) };
    const answer = this.answer(question, `"${argv.join(' ')}" was not run when this was recorded`);
    return 'stdout' in answer ? answer : wrong();
  }

  stream(argv: readonly string[]): HostStream {
    const entry = this.next({ op: 'stream', argv }, `"${argv.join(' ')}" was not run when this was recorded`);
    return { chunks: replayText(entry), stop: () => {} };
  }

  async capture(spec: CaptureSpec): Promise<HostCapture> {
    const exact = this.recorded.get(keyOf({ op: 'capture', ...spec }));
    const entry =
      exact?.before[0] ?? exact?.watching[0] ?? this.captures.find(({ question }) => covers(question, spec));
    if (entry === undefined) throw new HostError('not-recorded', 'no packets were captured when this was recorded');
    const { answer } = entry;
    if (answer === undefined) throw refusal(entry);
    if (!('packets' in answer)) return wrong();
    return {
      ready: Promise.resolve(),
      lost: () => answer.lost,
      stop: () => {},
      chunks: replayPackets(exact === undefined ? select(answer.packets, spec) : answer.packets),
    };
  }

  async connect({ onLocal: _, ...request }: ConnectRequest): Promise<ConnectOutcome> {
    const { address, port } = request;
    const question: Question = { op: 'connect', ...request };
    const entry = this.next(question, `no connection to ${address} port ${port} was opened when this was recorded`);
    if (entry.answer === undefined) throw refusal(entry);
    return 'outcome' in entry.answer ? entry.answer.outcome : wrong();
  }

  /** All files below a directory that were read, whatever the question; the latest reading of each. */
  recordedFiles(directory: string): ReadonlyMap<string, string> {
    const files = new Map<string, string>();
    for (const { before, watching } of this.recorded.values()) {
      for (const { question, answer } of [...before, ...watching]) {
        if (question.op === 'readFile' && answer !== undefined && 'text' in answer) {
          if (question.path.startsWith(directory)) files.set(question.path, answer.text.replace(/\n$/, ''));
        } else if (question.op === 'run' && question.argv[0] === 'grep' && answer !== undefined && 'stdout' in answer) {
          const paths = question.argv.filter((word) => word.startsWith(directory));
          for (const [path, text] of parseFilesInLines(answer.stdout, paths)) files.set(path, text);
        }
      }
    }
    return files;
  }

  async nowNs(): Promise<bigint> {
    const times = this.recorded.get('now')?.watching ?? [];
    // The watch begins when it began, and then it is over.
    const begins = this.watching && !this.hasBegun ? times[0]?.answer : undefined;
    this.hasBegun = this.watching;
    const answer = begins ?? this.answer({ op: 'now' }, 'the clock was not read when this was recorded');
    return 'ns' in answer ? answer.ns : wrong();
  }

  beginWatch(): void {
    this.watching = true;
  }

  async close(): Promise<void> {}

  private answer(question: Question, missing: string): Answer {
    const recorded = this.recorded.get(keyOf(question));
    const entry = (this.watching ? recorded?.watching.at(-1) : undefined) ?? this.next(question, missing);
    if (entry.answer === undefined) throw refusal(entry);
    return entry.answer;
  }

  private next(question: Question, missing: string): Entry {
    const recorded = this.recorded.get(keyOf(question));
    if (recorded === undefined) {
      throw new HostError('not-recorded', missing, { hint: 'record again, with this version of synscope' });
    }
    const inOrder = recorded.before.length === 0 ? recorded.watching : recorded.before;
    const entry = inOrder[Math.min(recorded.asked, inOrder.length - 1)] as Entry;
    recorded.asked++;
    return entry;
  }
}

async function* replayPackets(packets: Uint8Array): AsyncGenerator<Uint8Array> {
  yield sll2FileHeader(SNAP_LENGTH_BYTES);
  for (let at = 0; at < packets.length; at += PIECE_BYTES) yield packets.subarray(at, at + PIECE_BYTES);
}

async function* replayText(entry: Entry): AsyncGenerator<Uint8Array> {
  if (entry.answer !== undefined && 'text' in entry.answer) yield new TextEncoder().encode(entry.answer.text);
  if (entry.refusal !== undefined) throw refusal(entry);
}

function refusal({ refusal: known }: Entry): HostError {
  if (known === undefined) return wrong();
  return new HostError(known.code, known.message, known.hint === undefined ? {} : { hint: known.hint });
}

/** The reader of bundles has checked that questions have answers of their own kind. */
function wrong(): never {
  throw new TypeError('a bundle holds an answer of another kind than its question');
}

/** Whether a capture holds all that another one asks for. */
function covers(question: Question, spec: CaptureSpec): boolean {
  return (
    question.op === 'capture' &&
    (question.port === undefined || question.port === spec.port) &&
    (question.peer === undefined || question.peer === spec.peer)
  );
}

/** The packets that the kernel would have let through for another capture. */
function select(packets: Uint8Array, spec: CaptureSpec): Uint8Array {
  if (spec.peer !== undefined && parseAddress(spec.peer) === undefined) return packets;
  const program = handshakeFilter(spec);
  const stream = new Sll2Stream((view, start, end) => {
    const packet = new DataView(view.buffer, view.byteOffset + start + SLL2_BYTES, end - start - SLL2_BYTES);
    return runBpf(program, packet, view.getUint16(start)) === 0 ? start : end;
  });
  stream.push(sll2FileHeader(SNAP_LENGTH_BYTES));
  return stream.push(packets);
}
