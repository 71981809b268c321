import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { preferHugePages, systemCalls } from './system.ts';

/** Flags of the mapping that an address of this process is in, as proc_pid_smaps(5) lists them. */
function flagsAt(address: bigint): string[] {
  let isThere = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null) isThere = BigInt(`0x${range[1]}`) <= address && address < BigInt(`0x${range[2]}`);
    if (isThere && line.startsWith('VmFlags:')) return line.split(/\s+/).slice(1);
  }
  return [];
}

describe('memory that is used all over', () => {
  it('gets large pages', () => {
    const memory = new Uint8Array(new SharedArrayBuffer(8 << 20));
    const middle = systemCalls().addressOf(memory) + BigInt(4 << 20);
    expect(flagsAt(middle)).not.toContain('hg');
    preferHugePages(memory);
    expect(flagsAt(middle)).toContain('hg');
  });
});
