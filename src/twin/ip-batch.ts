import type { Host } from '../host/host.ts';

/** What may stand in a command of `ip -batch`: no space, quote, or line end that begins another word or command. */
const WORD = /^[\p{L}\p{N}_.:/%+=,@~[\]*!&#-]{1,128}$/u;

/** Commands for one run of `ip -batch`, made of words that may come from anywhere. */
export class IpBatch {
  private readonly lines: string[] = [];
  private readonly names: string[] = [];

  /** Adds a command; `name` is what a message about it says. False when a word cannot be one of `ip`. */
  add(command: string, name: string = command): boolean {
    const words = command.split(' ').filter((word) => word !== '');
    if (!words.every((word) => WORD.test(word))) return false;
    this.lines.push(words.join(' '));
    this.names.push(name);
    return true;
  }

  /**
   * Runs all of it; what fails does not keep the rest from being done.
   * @returns the failures: the name of the command, and what `ip` said of it.
   */
  async run(
    host: Host,
    options: readonly string[] = [],
  ): Promise<readonly { readonly name: string; readonly said: string }[]> {
    if (this.lines.length === 0) return [];
    const { exitCode, stderr } = await host.run(['ip', ...options, '-force', '-batch', '-'], {
      input: `${this.lines.join('\n')}\n`,
      timeoutMs: 60_000,
    });
    return exitCode === 0 ? [] : this.failures(stderr);
  }

  /** `ip` says what went wrong, and then `Command failed -:12`. */
  private failures(stderr: string): { name: string; said: string }[] {
    const failures: { name: string; said: string }[] = [];
    let said = '';
    for (const line of stderr.split('\n')) {
      const number = /^Command failed -:(\d+)/.exec(line)?.[1];
      if (number === undefined) {
        if (line.trim() !== '') said = line.trim().replace(/^(RTNETLINK answers|Error): /, '');
        continue;
      }
      failures.push({ name: this.names[Number(number) - 1] ?? '', said });
      said = '';
    }
    return failures;
  }
}
