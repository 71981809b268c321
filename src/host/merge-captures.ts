import { closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { encodePcapngHeader, encodePcapngPacket, type WrittenInterface } from '../formats/pcap/write-pcapng.ts';
import type { CaptureSummary } from '../model/capture.ts';
import { InputError } from '../model/errors.ts';
import { readCapture } from './capture-input.ts';
import { outputTarget } from './output-target.ts';
import { PacketSpool, type SpooledPacket, writeAll } from './packet-spool.ts';
import { isSystemError, systemReason } from './system-error.ts';

/** One capture that goes into a merged file. */
export interface MergedInput {
  /** What an earlier reading found of it; the file is read once more. */
  readonly summary: CaptureSummary;
  /** Added to the times of its packets. */
  readonly offsetNs: bigint;
  /** Comments of a packet, by its number in the capture. */
  readonly comments: ReadonlyMap<number, readonly string[]>;
}

/**
 * Merges captures into one pcapng file in corrected time, with an interface for each one of each capture, and comments. The
 * file appears under its name only when it is complete. All captures but the last pass through a spool beside it on disk, so
 * that memory stays small however large they are.
 * @throws InputError when the file cannot be written or a capture cannot be read again.
 */
export async function mergeCaptures(inputs: readonly MergedInput[], path: string): Promise<void> {
  refuseOverwriting(inputs, path);
  const target = outputTarget(path);
  const partial = `${target}.${process.pid}.partial`;
  const spools: PacketSpool[] = [];
  let fd: number | undefined;
  try {
    fd = openSync(partial, 'wx');
    await merge(inputs, fd, () => {
      const spool = new PacketSpool(`${target}.${process.pid}.spool${spools.length}`);
      spools.push(spool);
      return spool;
    });
    closeSync(fd);
    fd = undefined;
    renameSync(partial, target);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    rmSync(partial, { force: true });
    throw isSystemError(error)
      ? new InputError(
          { code: 'not-writable', message: `${path} cannot be written: ${systemReason(error)}.` },
          { cause: error },
        )
      : error;
  } finally {
    for (const spool of spools) spool.remove();
  }
}

async function merge(inputs: readonly MergedInput[], fd: number, createSpool: () => PacketSpool): Promise<void> {
  const output = new BlockWriter(fd);
  output.write(encodePcapngHeader(inputs.flatMap(({ summary }) => writtenInterfaces(summary))));
  const firstInterface = (index: number): number =>
    inputs.slice(0, index).reduce((sum, { summary }) => sum + Math.max(summary.interfaces.length, 1), 0);
  const queues: Queue[] = [];
  for (const [index, input] of inputs.slice(0, -1).entries()) {
    const spool = createSpool();
    await encodePackets(input, firstInterface(index), (timeNs, block) => spool.add(timeNs, block));
    queues.push(new Queue(spool.packets()));
  }
  const last = inputs.at(-1);
  if (last === undefined) return;
  const passUntil = (timeNs: bigint | undefined): void => {
    for (;;) {
      const next = earliest(queues);
      if (next?.head === undefined || (timeNs !== undefined && next.head.timeNs > timeNs)) return;
      output.write(next.head.block);
      next.advance();
    }
  };
  await encodePackets(last, firstInterface(inputs.length - 1), (timeNs, block) => {
    passUntil(timeNs);
    output.write(block);
  });
  passUntil(undefined);
  output.flush();
}

async function encodePackets(
  { summary, offsetNs, comments }: MergedInput,
  firstInterface: number,
  take: (timeNs: bigint, block: Uint8Array) => void,
): Promise<void> {
  await readCapture(summary.path ?? summary.name, (reader, view, batch, firstFrame) => {
    const baseNs = (reader.baseNs ?? 0n) + offsetNs;
    for (let i = 0; i < batch.count; i++) {
      const record = batch.recordOffset[i]!;
      const interfaceId = batch.interfaceId[i]!;
      const timeNs = baseNs + BigInt(Math.round(reader.timeNs(view, record, interfaceId)));
      const bytes = new Uint8Array(view.buffer, view.byteOffset + batch.dataOffset[i]!, batch.capturedBytes[i]!);
      const said = comments.get(firstFrame + i);
      const block = encodePcapngPacket({
        interfaceId: firstInterface + interfaceId,
        timeNs,
        bytes,
        wireBytes: reader.wireBytes(view, record),
        direction: reader.direction(view, record),
        ...(said === undefined ? {} : { comments: said }),
      });
      take(timeNs, block);
    }
  });
}

/** A capture's own interfaces, named after the capture; one of no packets still gets one, so that it is seen to be there. */
function writtenInterfaces({ name, interfaces }: CaptureSummary): WrittenInterface[] {
  if (interfaces.length === 0) return [{ linkType: 1, name }];
  return interfaces.map(({ linkType, snapLength, name: own, description }) => ({
    linkType,
    snapLength,
    name: own === undefined ? name : `${name}: ${own}`,
    ...(description === undefined ? {} : { description }),
  }));
}

/** Packets of one capture still to be written. */
class Queue {
  head: SpooledPacket | undefined;
  private readonly packets: Generator<SpooledPacket>;

  constructor(packets: Generator<SpooledPacket>) {
    this.packets = packets;
    this.advance();
  }

  advance(): void {
    const { done, value } = this.packets.next();
    this.head = done ? undefined : value;
  }
}

function earliest(queues: readonly Queue[]): Queue | undefined {
  let first: Queue | undefined;
  for (const queue of queues) {
    if (queue.head !== undefined && (first?.head === undefined || queue.head.timeNs < first.head.timeNs)) first = queue;
  }
  return first;
}

/** Collects blocks and writes them in large pieces. */
class BlockWriter {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(1 << 20);
  private filled = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  write(block: Uint8Array): void {
    if (this.filled + block.length > this.buffer.length) this.flush();
    if (block.length > this.buffer.length) {
      writeAll(this.fd, block);
      return;
    }
    this.buffer.set(block, this.filled);
    this.filled += block.length;
  }

  flush(): void {
    writeAll(this.fd, this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }
}

function refuseOverwriting(inputs: readonly MergedInput[], path: string): void {
  const target = statSync(path, { throwIfNoEntry: false });
  if (target === undefined) return;
  for (const { summary } of inputs) {
    const source = statSync(summary.path ?? summary.name, { throwIfNoEntry: false });
    if (source?.ino === target.ino && source.dev === target.dev) {
      throw new InputError({
        code: 'same-file',
        message: `${path} is one of the captures; give --annotate another name`,
      });
    }
  }
}
