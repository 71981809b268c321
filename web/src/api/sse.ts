/** One event of a stream of server-sent events. */
export interface SseEvent {
  readonly type: string;
  readonly data: string;
  /** Id of the last event that had one. */
  readonly id: string;
}

/**
 * Splits a stream of server-sent events (HTML standard, section 9.2). The page reads the stream itself, not with
 * `EventSource`, because that hides comments, which tell a quiet connection from a dead one, and the status of a refusal.
 */
export class SseParser {
  private rest = '';
  private type = '';
  private data: string[] = [];
  private id: string;

  constructor(lastEventId = '') {
    this.id = lastEventId;
  }

  /** Takes the next piece of the stream, which may end anywhere. */
  push(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) {
          events.push({ type: this.type || 'message', data: this.data.join('\n'), id: this.id });
        }
        this.type = '';
        this.data = [];
      } else this.field(line);
    }
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.type = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.id = value;
  }
}
