/**
 * Operations of classic BPF, the filter language of sockets (linux/bpf_common.h, linux/filter.h; Documentation/networking/filter.rst).
 */
export const LD_W_ABS = 0x20;
export const LD_H_ABS = 0x28;
export const LD_B_ABS = 0x30;
export const LD_H_IND = 0x48;
export const LD_B_IND = 0x50;
/** X = 4 * (byte & 15): the length of an IPv4 header. */
export const LDX_MSH = 0xb1;
export const LDX_IMM = 0x01;
export const JEQ = 0x15;
export const JGT = 0x25;
export const JGE = 0x35;
/** Jumps when any of the bits is set. */
export const JSET = 0x45;
export const LD_W_IND = 0x40;
/** A = A - k, A * k, A >> k. */
export const SUB = 0x14;
export const MUL = 0x24;
export const RSH = 0x74;
/** Writes A to a word of the scratch memory, and reads it. */
export const ST = 0x02;
export const LD_MEM = 0x60;
export const RET = 0x06;

/** Where the kernel keeps the EtherType of a packet for filters: SKF_AD_OFF + SKF_AD_PROTOCOL. */
export const AD_PROTOCOL = 0xffff_f000;
/** In the same way the packet type (`PACKET_OUTGOING` and the like) and the ARPHRD_ type of the interface. */
export const AD_PACKET_TYPE = 0xffff_f004;
export const AD_HARDWARE_TYPE = 0xffff_f01c;

/** Where a jump goes: to a label, or on to the next instruction. */
export type Target = string | undefined;

/** One instruction; `label` names it for jumps. */
export interface Instruction {
  readonly operation: number;
  readonly operand: number;
  readonly ifTrue?: Target;
  readonly ifFalse?: Target;
}

/** A program as it is written: labels and instructions in order. */
export type Source = readonly (string | Instruction)[];

const INSTRUCTION_BYTES = 8;

/**
 * Assembles a program to the array of `struct sock_filter` that SO_ATTACH_FILTER takes: code (2 bytes), jt (1), jf (1), k (4), each
 * in the byte order of a little-endian machine.
 * @throws RangeError for a label that is missing, behind, or farther than 255 instructions away.
 */
export function assembleBpf(source: Source): Uint8Array {
  const labels = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const part of source) {
    if (typeof part === 'string') labels.set(part, instructions.length);
    else instructions.push(part);
  }
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { operation, operand, ifTrue, ifFalse }] of instructions.entries()) {
    const distance = (target: Target): number => {
      if (target === undefined) return 0;
      const steps = (labels.get(target) ?? Number.NaN) - index - 1;
      if (!(steps >= 0 && steps <= 255)) throw new RangeError(`instruction ${index} cannot jump to ${target}`);
      return steps;
    };
    view.setUint16(index * INSTRUCTION_BYTES, operation, true);
    view.setUint8(index * INSTRUCTION_BYTES + 2, distance(ifTrue));
    view.setUint8(index * INSTRUCTION_BYTES + 3, distance(ifFalse));
    view.setUint32(index * INSTRUCTION_BYTES + 4, operand >>> 0, true);
  }
  return bytes;
}

/**
 * Runs a program of these operations on one packet, as the kernel does.
 * @param packet from its network header on, as a SOCK_DGRAM packet socket sees it.
 * @param protocol its EtherType.
 * @param ancillary what {@link AD_PACKET_TYPE} and {@link AD_HARDWARE_TYPE} give: a packet that came to this host by Ethernet unless given.
 * @returns how many bytes of the packet are wanted; 0 drops it. A load beyond the end drops it, too.
 */
export function runBpf(
  program: Uint8Array,
  packet: DataView,
  protocol: number,
  ancillary: { readonly packetType: number; readonly hardwareType: number } = { packetType: 0, hardwareType: 1 },
): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const scratch = new Uint32Array(16);
  let a = 0;
  let x = 0;
  for (let at = 0; at < code.byteLength; at += INSTRUCTION_BYTES) {
    const operation = code.getUint16(at, true);
    const k = code.getUint32(at + 4, true);
    const indexed = operation === LD_W_IND || operation === LD_H_IND || operation === LD_B_IND;
    const offset = indexed ? x + k : k;
    switch (operation) {
      case RET:
        return k;
      case LDX_IMM:
        x = k;
        continue;
      case SUB:
        a = (a - k) >>> 0;
        continue;
      case MUL:
        a = Math.imul(a, k) >>> 0;
        continue;
      case RSH:
        a >>>= k;
        continue;
      case ST:
        scratch[k] = a;
        continue;
      case LD_MEM:
        a = scratch[k]!;
        continue;
      case LD_W_ABS:
      case LD_W_IND:
        if (k === AD_PROTOCOL || k === AD_PACKET_TYPE || k === AD_HARDWARE_TYPE) {
          a = k === AD_PROTOCOL ? protocol : k === AD_PACKET_TYPE ? ancillary.packetType : ancillary.hardwareType;
          continue;
        }
        if (offset + 4 > packet.byteLength) return 0;
        a = packet.getUint32(offset);
        continue;
      case LD_H_ABS:
      case LD_H_IND:
        if (offset + 2 > packet.byteLength) return 0;
        a = packet.getUint16(offset);
        continue;
      case LD_B_ABS:
      case LD_B_IND:
        if (offset + 1 > packet.byteLength) return 0;
        a = packet.getUint8(offset);
        continue;
      case LDX_MSH:
        if (offset + 1 > packet.byteLength) return 0;
        x = 4 * (packet.getUint8(offset) & 15);
        continue;
    }
    at += INSTRUCTION_BYTES * code.getUint8(at + (holds(operation, a, k) ? 2 : 3));
  }
  return 0;
}

function holds(operation: number, a: number, k: number): boolean {
  switch (operation) {
    case JEQ:
      return a === k;
    case JGT:
      return a > k;
    case JGE:
      return a >= k;
    case JSET:
      return (a & k) !== 0;
    default:
      throw new RangeError(`unknown operation ${operation}`);
  }
}
