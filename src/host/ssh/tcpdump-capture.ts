import { DEFAULT_SNAP_LENGTH_BYTES } from '../filter-parts.ts';
import { type CaptureSpec, type HostCapture, HostError, type HostStream } from '../host.ts';
import { SLL2_BYTES, Sll2Stream, sll2FileHeader } from '../sll2-stream.ts';
import { type FilterEndpoint, tcpdumpFilter } from './tcpdump-filter.ts';

/** Starts a program on the other side; hands over what it writes to standard error as it comes. */
export type StartStream = (argv: readonly string[], onStderr: (text: string) => void) => HostStream;

/** What older versions of tcpdump and libpcap do not know: nanoseconds, packets without delay. */
const MODERN = ['--time-stamp-precision=nano', '--immediate-mode'];
/** KiB for packets that wait. */
const BUFFER_KIB = 8192;

/**
 * Captures packets on another machine with its tcpdump.
 * @param without the end of our own connection to it, whose packets would beget packets.
 * @throws HostError when there is no tcpdump, or it may not capture.
 */
export async function captureWithTcpdump(
  spec: CaptureSpec,
  without: FilterEndpoint | undefined,
  start: StartStream,
): Promise<HostCapture> {
  const snapLength = (spec.snapLengthBytes ?? DEFAULT_SNAP_LENGTH_BYTES) + SLL2_BYTES;
  const begin = (options: readonly string[]): TcpdumpCapture =>
    new TcpdumpCapture(
      [
        ...['tcpdump', '-i', 'any', '-U', '-n', '-B', `${BUFFER_KIB}`, '-s', `${snapLength}`, ...options, '-w', '-'],
        tcpdumpFilter(spec, without),
      ],
      snapLength - SLL2_BYTES,
      start,
    );
  const capture = begin(MODERN);
  try {
    await capture.ready;
    return capture;
  } catch (error) {
    capture.stop();
    if (!(error instanceof HostError) || !/option|time.?stamp/i.test(error.message)) throw explain(error);
  }
  const plain = begin([]);
  try {
    await plain.ready;
    return plain;
  } catch (error) {
    throw explain(error);
  }
}

class TcpdumpCapture implements HostCapture {
  readonly ready: Promise<void>;
  readonly chunks: AsyncIterable<Uint8Array>;
  private readonly stream: HostStream;
  private readonly source: AsyncIterator<Uint8Array>;
  /** The first bytes: reading begins at once, so that an early end is noticed. */
  private readonly first: Promise<IteratorResult<Uint8Array>>;
  private said = '';

  constructor(argv: readonly string[], snapLengthBytes: number, start: StartStream) {
    let isListening: () => void = () => {};
    const listening = new Promise<void>((resolve) => {
      isListening = resolve;
    });
    this.stream = start(argv, (text) => {
      this.said = `${this.said}${text}`.slice(-64 * 1024);
      if (/listening on /.test(this.said)) isListening();
    });
    this.source = this.stream.chunks[Symbol.asyncIterator]();
    this.first = this.source.next();
    const ended = this.first.then(({ done }) => {
      if (done === true) throw new HostError('failed', `tcpdump ended: ${this.said.trim()}`);
      return listening;
    });
    this.ready = Promise.race([listening, ended]);
    this.ready.catch(() => {});
    this.chunks = this.read(snapLengthBytes);
  }

  lost(): number {
    return Number(/(\d+) packets? dropped by kernel/.exec(this.said)?.[1] ?? 0);
  }

  stop(): void {
    this.stream.stop();
  }

  private async *read(snapLengthBytes: number): AsyncGenerator<Uint8Array> {
    const records = new Sll2Stream();
    yield sll2FileHeader(snapLengthBytes);
    try {
      for (let next = await this.first; next.done !== true; next = await this.source.next()) {
        const chunk = records.push(next.value);
        if (chunk.length > 0) yield chunk;
      }
    } finally {
      this.stop();
    }
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  if (error.code === 'not-found') {
    return new HostError('not-found', `packets cannot be captured: ${error.message}`, {
      hint: 'install tcpdump there',
    });
  }
  if (/permission|not permitted/i.test(error.message)) {
    return new HostError('no-permission', 'packets cannot be captured there: tcpdump may not', {
      cause: error,
      hint: 'use --sudo, or ssh:root@…',
    });
  }
  return error;
}
