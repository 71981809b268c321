import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, UsageError } from './command.ts';
import { FROM_OPTION } from './incident-options.ts';
import { checkOutputFiles } from './output-files.ts';

/** What the options of `show` were set to. */
export interface ShowOptions {
  readonly json?: boolean;
  readonly html?: string;
  readonly verbose: number;
  /** Folder of the watch. */
  readonly from?: string;
}

export const command: Command = {
  name: 'show',
  argument: '<id>',
  argumentDescription: 'number of an incident, as "synscope incidents" lists it',
  summary: 'one incident: verdict, a sample with its evidence, what changed before, what was repaired',
  examples: [
    ['synscope show 42', 'all that is known of incident 42'],
    ['synscope show 42 --html 42.html', 'as a page in one file, to pass on'],
    ['synscope show 42 --json', 'for scripts'],
  ],
  options: [
    { flags: '--json', description: 'print one JSON object (docs/api.md)' },
    { flags: '--html <file>', description: 'also write a page that shows everything, in one file' },
    {
      flags: '-v, --verbose',
      description: 'show every sample, and all that was ruled out',
      parse: (_, previous) => Number(previous ?? 0) + 1,
      initial: 0,
    },
    FROM_OPTION,
  ],
  async run([id = '', ...more], given) {
    const options = given as unknown as ShowOptions;
    const number = /^#?(\d{1,15})$/.exec(id)?.[1];
    if (number === undefined || more.length > 0) {
      throw new UsageError(
        `show takes the number of one incident, and "${[id, ...more].join(' ')}" is none; they are listed by: synscope incidents`,
      );
    }
    checkOutputFiles(options, []);
    const { runShow } = await import('./show-run.ts');
    const incident = await runShow(Number(number), options);
    return incident.state === 'open' ? EXIT_CAUSE_FOUND : EXIT_NOTHING_WRONG;
  },
};
