import { type Command, EXIT_NOTHING_WRONG, UsageError } from './command.ts';
import { parsePort } from './host-options.ts';

/** What the options of `watch` were set to. */
export interface WatchCommandOptions {
  readonly config?: string;
  readonly state?: string;
  readonly listen?: string;
  /** False with `--no-page`. */
  readonly page: boolean;
  readonly port: readonly number[];
  readonly on?: string;
  readonly json?: boolean;
}

export const command: Command = {
  name: 'watch',
  argument: '',
  argumentDescription: '',
  summary: 'know of every failing handshake, with incidents, history and a page',
  examples: [
    ['sudo synscope watch', 'every handshake of this machine and its containers; page on http://127.0.0.1:7321'],
    ['sudo synscope watch --config /etc/synscope.yaml', 'policies, ports, alerts (docs/watch.md)'],
    ['sudo synscope watch --port 443 --no-page', 'one port, told on the terminal only'],
    ['sudo synscope watch --json | jq .incident.sentence', 'each event of an incident as one line of JSON'],
  ],
  options: [
    { flags: '--config <file>', description: 'a YAML file with settings (docs/watch.md); SIGHUP reads it anew' },
    {
      flags: '--state <folder>',
      description: 'where history and control socket lie (/var/lib/synscope, or ~/.local/state/synscope unless root)',
    },
    { flags: '--listen <address:port>', description: 'where the page is served (127.0.0.1:7321 unless given)' },
    { flags: '--no-page', description: 'serve no page and no metrics' },
    {
      flags: '--port <number>',
      description: 'only this port of servers; may be given again',
      parse: (text, previous) => [...((previous as readonly number[] | undefined) ?? []), parsePort('--port', text)],
      initial: [],
    },
    {
      flags: '--on <namespace>',
      description: 'only one network namespace: local, netns:NAME or pid:NUMBER (all of them unless given)',
      parse: parseNamespace,
    },
    { flags: '--json', description: 'print one JSON object for each event of an incident' },
  ],
  async run(args, given) {
    if (args.length > 0) throw new UsageError('watch takes options only; --port 443 narrows it to a port');
    const { watchInThread } = await import('./watch-start.ts');
    await watchInThread(given as unknown as WatchCommandOptions);
    return EXIT_NOTHING_WRONG;
  },
};

function parseNamespace(text: string): string {
  if (/^(local|netns:.+|pid:[1-9]\d*)$/.test(text)) return text;
  throw new UsageError(
    `--on takes local, netns:NAME or pid:NUMBER, and "${text}" is none of them; watch runs on this machine`,
  );
}
