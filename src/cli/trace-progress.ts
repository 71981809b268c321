import type { StatusLine } from './status-line.ts';

/** The state of a host whose ssh asks for a password, or about a key. */
export const ASKS = 'asks';

/** Shows on one line what each host of a trace is doing. */
export class TraceProgress {
  private readonly line: StatusLine;
  private readonly states = new Map<string, string>();

  constructor(line: StatusLine) {
    this.line = line;
  }

  /** A host has come to another state. */
  readonly state = (name: string, state: string): void => {
    this.states.set(name, state);
    // What a host asks stands on the same terminal, and so does the answer.
    if ([...this.states.values()].includes(ASKS)) this.line.clear();
    else this.line.draw([...this.states].map(([host, what]) => `${host}: ${what}`).join('   '));
  };

  /** Something is done that concerns all hosts. */
  readonly step = (text: string): void => {
    this.line.draw(text);
  };

  /** Removes the line. */
  readonly clear = (): void => {
    this.line.clear();
  };
}
