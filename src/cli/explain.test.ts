import { afterEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from './command.ts';
import { command } from './explain.ts';
import { OutputBuffer } from './output.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function explain(words: readonly string[], options: Readonly<Record<string, unknown>> = {}): Promise<string> {
  let text = '';
  vi.spyOn(OutputBuffer.prototype, 'write').mockImplementation((more) => {
    text += more;
  });
  expect(await command.run(words, options)).toBe(0);
  return text;
}

describe('synscope explain', () => {
  it('explains a word of several parts', async () => {
    expect(await explain(['icmp', '3/13'])).toMatch(/^icmp 3\/13: Communication Administratively Prohibited\n/);
  });

  it('prints one JSON object', async () => {
    const json = JSON.parse(await explain(['TcpExtListenDrops'], { json: true })) as Record<string, unknown>;
    expect(json).toMatchObject({ schemaVersion: 1, command: 'explain', word: 'ListenDrops', kind: 'counter' });
    expect(json.causes).toBeInstanceOf(Array);
    expect(json.otherMeanings).toEqual([]);
  });

  it('lists every word, as text and as JSON', async () => {
    expect(await explain([], { list: true })).toContain('Kernel counter\n  ListenDrops');
    const { words } = JSON.parse(await explain([], { list: true, json: true })) as { words: unknown[] };
    expect(words).toContainEqual(expect.objectContaining({ word: 'no-reply', kind: 'outcome' }));
  });

  it('refuses what it does not know, with the nearest words', async () => {
    await expect(command.run(['ListenDorps'], {})).rejects.toThrow(UsageError);
    await expect(command.run(['ListenDorps'], {})).rejects.toThrow(/did you mean ListenDrops/);
    await expect(command.run(['qqqqqqqqqqqq'], {})).rejects.toThrow(/synscope explain --list/);
    await expect(command.run([], {})).rejects.toThrow(UsageError);
    await expect(command.run(['SYN'], { list: true })).rejects.toThrow(UsageError);
  });
});
