import { openSync } from 'node:fs';
import process from 'node:process';
import { addressOf, C, check } from './libc.ts';
import type { BpfTask } from './tasks.ts';

/** bpf(2) by processor. */
const SYS_BPF = process.arch === 'arm64' ? 280 : 321;
const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
/** Numbers of linux/bpf.h: `enum bpf_prog_type` and `enum bpf_attach_type`. */
const HOOKS = {
  'xdp-driver': { type: 6, attach: 37, flags: 4 },
  'xdp-generic': { type: 6, attach: 37, flags: 2 },
  'cgroup-ingress': { type: 8, attach: 0, flags: 0 },
  'cgroup-egress': { type: 8, attach: 1, flags: 0 },
  'cgroup-connect4': { type: 18, attach: 10, flags: 0 },
  'cgroup-connect6': { type: 18, attach: 11, flags: 0 },
  'sk-lookup': { type: 30, attach: 36, flags: 0 },
} as const;

const XDP_VERDICTS = { aborted: 0, drop: 1, pass: 2 } as const;
const SK_DROP = 0;
const SK_PASS = 1;

/**
 * Loads a tiny program and attaches it by a link that this process holds: when it ends, the program is gone. At XDP and sk_lookup it
 * concerns TCP to the port alone; in a cgroup everything. @throws CallError
 */
export function attachBpf(task: BpfTask): void {
  const { type, attach, flags } = HOOKS[task.hook];
  const program = load(type, attach, instructionsFor(task));
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(program);
  attributes.writeUInt32LE(targetOf(task), 4);
  attributes.writeUInt32LE(attach, 8);
  attributes.writeUInt32LE(flags, 12);
  call('bpf(BPF_LINK_CREATE)', BPF_LINK_CREATE, attributes);
}

function targetOf(task: BpfTask): number {
  if ('device' in task) return check(`interface ${task.device}`, Number(C.ifNameToIndex(task.device)) || -1);
  return openSync('cgroup' in task ? task.cgroup : '/proc/self/ns/net', 'r');
}

function load(type: number, attach: number, instructions: Buffer): number {
  const license = Buffer.from('GPL\0');
  const attributes = Buffer.alloc(128);
  attributes.writeUInt32LE(type);
  attributes.writeUInt32LE(instructions.length / 8, 4);
  attributes.writeBigUInt64LE(addressOf(instructions), 8);
  attributes.writeBigUInt64LE(addressOf(license), 16);
  attributes.write('lab', 48);
  attributes.writeUInt32LE(attach, 68);
  return call('bpf(BPF_PROG_LOAD)', BPF_PROG_LOAD, attributes);
}

function call(name: string, command: number, attributes: Buffer): number {
  return check(name, C.syscall(SYS_BPF, command, addressOf(attributes), attributes.length, 0));
}

function instructionsFor(task: BpfTask): Buffer {
  if (task.hook === 'xdp-driver' || task.hook === 'xdp-generic') {
    return xdpProgram(task.port, XDP_VERDICTS[task.action]);
  }
  if (task.hook === 'sk-lookup') return skLookupProgram(task.port);
  return assemble([
    [MOV, 0, 0, 0, 0],
    [EXIT, 0, 0, 0, 0],
  ]);
}

/** One instruction: opcode, destination register, source register, offset or label, immediate (linux/bpf.h: `struct bpf_insn`). */
type Instruction = readonly [code: number, to: number, from: number, offset: number | string, value: number];

const LOAD_BYTE = 0x71;
const LOAD_HALF = 0x69;
const LOAD_WORD = 0x61;
const MOV = 0xb7;
const MOV_REGISTER = 0xbf;
const ADD = 0x07;
const JUMP = 0x05;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_EQUAL = 0x55;
const JUMP_GREATER_REGISTER = 0x2d;
const EXIT = 0x95;

/** Gives the verdict to TCP packets for the port behind Ethernet and a plain IPv4 or IPv6 header, and lets all else pass. */
function xdpProgram(port: number, verdict: number): Buffer {
  return assemble([
    [LOAD_WORD, 2, 1, 0, 0], // r2 = data
    [LOAD_WORD, 3, 1, 4, 0], // r3 = data_end
    [MOV_REGISTER, 4, 2, 0, 0],
    [ADD, 4, 0, 0, 54],
    [JUMP_GREATER_REGISTER, 4, 3, 'pass', 0], // shorter than Ethernet, IPv4 and TCP
    [LOAD_HALF, 5, 2, 12, 0],
    [JUMP_EQUAL, 5, 0, 'v4', swap(0x0800)],
    [JUMP_EQUAL, 5, 0, 'v6', swap(0x86dd)],
    [JUMP, 0, 0, 'pass', 0],
    'v4',
    [LOAD_BYTE, 5, 2, 23, 0], // protocol
    [JUMP_NOT_EQUAL, 5, 0, 'pass', 6],
    [LOAD_HALF, 5, 2, 36, 0], // destination port
    [JUMP, 0, 0, 'compare', 0],
    'v6',
    [MOV_REGISTER, 4, 2, 0, 0],
    [ADD, 4, 0, 0, 74],
    [JUMP_GREATER_REGISTER, 4, 3, 'pass', 0],
    [LOAD_BYTE, 5, 2, 20, 0], // next header
    [JUMP_NOT_EQUAL, 5, 0, 'pass', 6],
    [LOAD_HALF, 5, 2, 56, 0], // destination port
    'compare',
    [JUMP_EQUAL, 5, 0, 'deny', swap(port)],
    'pass',
    [MOV, 0, 0, 0, XDP_VERDICTS.pass],
    [EXIT, 0, 0, 0, 0],
    'deny',
    [MOV, 0, 0, 0, verdict],
    [EXIT, 0, 0, 0, 0],
  ]);
}

/** Drops look-ups for the port: `struct bpf_sk_lookup` has the local port, in host order, at 60. */
function skLookupProgram(port: number): Buffer {
  return assemble([
    [LOAD_WORD, 2, 1, 60, 0],
    [JUMP_EQUAL, 2, 0, 'drop', port],
    [MOV, 0, 0, 0, SK_PASS],
    [EXIT, 0, 0, 0, 0],
    'drop',
    [MOV, 0, 0, 0, SK_DROP],
    [EXIT, 0, 0, 0, 0],
  ]);
}

/** Instructions as bytes; a string marks a place that jumps name. Offsets of jumps count from the next instruction. */
function assemble(lines: readonly (Instruction | string)[]): Buffer {
  const places = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const line of lines) {
    if (typeof line === 'string') places.set(line, instructions.length);
    else instructions.push(line);
  }
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, to, from, offset, value]] of instructions.entries()) {
    bytes.writeUInt8(code, index * 8);
    bytes.writeUInt8(to | (from << 4), index * 8 + 1);
    bytes.writeInt16LE(typeof offset === 'number' ? offset : places.get(offset)! - index - 1, index * 8 + 2);
    bytes.writeInt32LE(value, index * 8 + 4);
  }
  return bytes;
}

/** A 16-bit number of the wire as a little-endian machine loads it. */
function swap(number: number): number {
  return ((number & 255) << 8) | (number >> 8);
}
