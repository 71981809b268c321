import { ROW, ROW_CLIENT, ROW_PORTS, ROW_STATE, STATE_IPV6 } from '../../handshake/attempt-layout.ts';
import type { AttemptTable } from '../../handshake/attempt-table.ts';
import { addressAt } from '../../handshake/materialize.ts';

const KEPT = 256;
/** Port and direction, IPv6 or not, four words of address. */
const WORDS = 6;

/** Whose attempts were answered lately, without a cost that a busy server would notice: read only when an attempt fails. */
export class RecentAnswers {
  private readonly words: Int32Array = new Int32Array(KEPT * WORDS);
  private next = 0;

  add({ rows }: AttemptTable, row: number, direction: 'inbound' | 'outbound'): void {
    const base = row * ROW;
    const at = this.next * WORDS;
    this.words[at] = (rows[base + ROW_PORTS]! & 0xffff) | (direction === 'inbound' ? 0x1_0000 : 0x2_0000);
    this.words[at + 1] = rows[base + ROW_STATE]! & STATE_IPV6;
    for (let word = 0; word < 4; word++) this.words[at + 2 + word] = rows[base + ROW_CLIENT + word]!;
    this.next = (this.next + 1) % KEPT;
  }

  /** Addresses of the clients that a port answered lately, once for each attempt. */
  clientsOf(port: number, direction: 'inbound' | 'outbound'): string[] {
    const wanted = port | (direction === 'inbound' ? 0x1_0000 : 0x2_0000);
    const found: string[] = [];
    for (let at = 0; at < this.words.length; at += WORDS) {
      if (this.words[at] === wanted) found.push(addressAt(this.words, at + 2, this.words[at + 1] !== 0));
    }
    return found;
  }
}
