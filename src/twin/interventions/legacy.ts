import type { SavedRules } from '../state.ts';
import type { Twin } from '../twin.ts';
import { parseSaved, type SavedRule } from './saved-rules.ts';

/** Rules of iptables-legacy of one family. */
export interface LegacyRules {
  readonly saved: SavedRules;
  readonly rules: readonly SavedRule[];
}

/** The rules of iptables-legacy of a twin, each of which can be left out: then all are loaded without it. */
export class LegacySwitch {
  readonly all: readonly LegacyRules[];
  /** Lines of a text that are left out, and those of policies that are opened; they take effect by {@link sync}. */
  readonly offLines: Map<LegacyRules, Set<number>> = new Map();
  readonly openLines: Map<LegacyRules, Set<number>> = new Map();
  private readonly twin: Twin;
  private readonly loaded: Map<LegacyRules, string> = new Map();

  constructor(twin: Twin) {
    this.twin = twin;
    this.all = twin.state.iptables
      .filter(({ tool }) => tool.endsWith('-legacy'))
      .map((saved) => ({ saved, rules: parseSaved(saved.text) }));
    for (const rules of this.all) {
      this.offLines.set(rules, new Set());
      this.openLines.set(rules, new Set());
      this.loaded.set(rules, rules.saved.text);
    }
  }

  /** Loads what changed. Returns why it could not be done. */
  sync(): string | undefined {
    for (const rules of this.all) {
      const text = this.textOf(rules);
      if (text === this.loaded.get(rules)) continue;
      const { exitCode, stderr } = this.twin.runSync([`${rules.saved.tool}-restore`], text);
      if (exitCode !== 0) {
        this.offLines.get(rules)?.clear();
        this.openLines.get(rules)?.clear();
        return stderr.trim().split('\n').at(-1) ?? `exit code ${exitCode}`;
      }
      this.loaded.set(rules, text);
    }
    return undefined;
  }

  private textOf(rules: LegacyRules): string {
    const off = this.offLines.get(rules);
    const open = this.openLines.get(rules);
    return rules.saved.text
      .split('\n')
      .map((line, number) => (open?.has(number) ? line.replace(/^(:\S+) DROP/, '$1 ACCEPT') : line))
      .filter((_, number) => off?.has(number) !== true)
      .join('\n');
  }
}
