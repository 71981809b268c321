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
import { Sll2Stream } from '../sll2-stream.ts';
import { cutPayload } from './cut-payload.ts';
import type { Answer, Entry, Question, Refusal } from './entry.ts';
import { redact } from './redact.ts';

/** Bytes of packets that one capture keeps, and of text that one stream keeps; what follows is left out, and said to be. */
const MAX_PACKET_BYTES = 256 * 1024 * 1024;
const MAX_STREAM_CHARACTERS = 16 * 1024 * 1024;

type Writable = { -readonly [Key in keyof Entry]: Entry[Key] };

/**
 * Asks another host, and keeps every question with its answer. What may be secret is replaced in what is kept, not in what
 * the asker gets.
 */
export class RecordingHost implements Host {
  readonly spec: string;
  private readonly host: Host;
  private readonly kept: Writable[] = [];
  private watching = false;

  constructor(host: Host) {
    this.host = host;
    this.spec = host.spec;
  }

  /**
   * Everything so far, in the order in which it was asked; what was not answered yet is left out, but for connections that are still being
   * opened: that is what became of them.
   */
  get entries(): readonly Entry[] {
    return this.kept
      .map((entry): Entry => (isOpening(entry) ? { ...entry, answer: STILL_OPENING } : entry))
      .filter(({ answer, refusal }) => answer !== undefined || refusal !== undefined)
      .map(redact);
  }

  readFile(path: string): Promise<string> {
    return this.keep({ op: 'readFile', path }, this.host.readFile(path), (text) => ({ text }));
  }

  listDirectory(path: string): Promise<readonly string[]> {
    return this.keep({ op: 'listDirectory', path }, this.host.listDirectory(path), (names) => ({ names }));
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const { input } = options;
    const question: Question = { op: 'run', argv: [...argv], ...(input === undefined ? {} : { input }) };
    return this.keep(question, this.host.run(argv, options), (result) => result);
  }

  stream(argv: readonly string[]): HostStream {
    const entry = this.begin({ op: 'stream', argv: [...argv] });
    let stream: HostStream;
    try {
      stream = this.host.stream(argv);
    } catch (error) {
      entry.refusal = refusalOf(error);
      throw error;
    }
    return { chunks: keepText(stream.chunks, entry), stop: () => stream.stop() };
  }

  async capture(spec: CaptureSpec): Promise<HostCapture> {
    const entry = this.begin({ op: 'capture', ...spec });
    try {
      const capture = await this.host.capture(spec);
      return {
        ready: capture.ready,
        lost: () => capture.lost(),
        stop: () => capture.stop(),
        chunks: this.keepPackets(capture, entry),
      };
    } catch (error) {
      entry.refusal = refusalOf(error);
      throw error;
    }
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    const { onLocal: _, ...asked } = request;
    return this.keep({ op: 'connect', ...asked }, this.host.connect(request), (outcome) => ({ outcome }));
  }

  nowNs(): Promise<bigint> {
    return this.keep({ op: 'now' }, this.host.nowNs(), (ns) => ({ ns }));
  }

  beginWatch(): void {
    this.watching = true;
    this.host.beginWatch?.();
  }

  close(): Promise<void> {
    return this.host.close();
  }

  private begin(question: Question): Writable {
    const entry: Writable = { question, watching: this.watching };
    this.kept.push(entry);
    return entry;
  }

  private async keep<T>(question: Question, answer: Promise<T>, asAnswer: (value: T) => Answer): Promise<T> {
    const entry = this.begin(question);
    try {
      const value = await answer;
      entry.answer = asAnswer(value);
      return value;
    } catch (error) {
      entry.refusal = refusalOf(error);
      throw error;
    }
  }

  private async *keepPackets(capture: HostCapture, entry: Writable): AsyncGenerator<Uint8Array> {
    const stream = new Sll2Stream(cutPayload);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of capture.chunks) {
        if (bytes <= MAX_PACKET_BYTES) {
          const piece = stream.push(chunk);
          bytes += piece.length;
          if (bytes <= MAX_PACKET_BYTES) pieces.push(piece);
        }
        yield chunk;
      }
    } catch (error) {
      entry.refusal = refusalOf(error);
      throw error;
    } finally {
      const cut = bytes > MAX_PACKET_BYTES ? { cut: true as const } : {};
      entry.answer = { packets: Buffer.concat(pieces), lost: capture.lost(), ...cut };
    }
  }
}

const STILL_OPENING: Answer = { outcome: { errno: 'EINPROGRESS', elapsedMs: 0 } };

function isOpening({ question, answer, refusal }: Entry): boolean {
  return question.op === 'connect' && answer === undefined && refusal === undefined;
}

async function* keepText(chunks: AsyncIterable<Uint8Array>, entry: Writable): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of chunks) {
      if (text.length < MAX_STREAM_CHARACTERS) text += decoder.decode(chunk, { stream: true });
      yield chunk;
    }
  } catch (error) {
    entry.refusal = refusalOf(error);
    throw error;
  } finally {
    entry.answer = { text };
  }
}

/** @throws the error itself when it is a bug. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof HostError)) throw error;
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
