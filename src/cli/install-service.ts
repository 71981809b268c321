import { isAbsolute, resolve } from 'node:path';
import { type Command, UsageError } from './command.ts';

/** What the options of `install-service` were set to. */
export interface InstallServiceOptions {
  readonly config: string;
  readonly root: string;
  readonly kernelEvents?: boolean;
  /** False with `--no-start`. */
  readonly start: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Options shared with `uninstall-service`. */
export const SERVICE_OPTIONS: Command['options'] = [
  {
    flags: '--config <file>',
    description: 'the configuration of the service (/etc/synscope.yaml unless given)',
    initial: '/etc/synscope.yaml',
    parse: parseConfigPath,
  },
  {
    flags: '--root <folder>',
    description: 'work on the image of a machine that lies in this folder',
    initial: '/',
    parse: (text) => resolve(text),
  },
  { flags: '-n, --dry-run', description: 'only show what would be done' },
  { flags: '--json', description: 'print what was done as one JSON object (docs/operations.md)' },
];

export const command: Command = {
  name: 'install-service',
  argument: '',
  argumentDescription: '',
  summary: 'run "watch" as a service of systemd, with a user of its own and few rights',
  examples: [
    [
      'sudo synscope install-service',
      'make the user, the unit and /etc/synscope.yaml, and start it; again after an upgrade',
    ],
    ['synscope install-service --dry-run', 'show every file and command'],
    ['sudo synscope install-service --kernel-events', "also the kernel's own drop events, for one right more"],
  ],
  options: [
    ...SERVICE_OPTIONS,
    {
      flags: '--kernel-events',
      description: "let it use the kernel's own drop events (tracefs): needs CAP_DAC_OVERRIDE",
    },
    { flags: '--no-start', description: 'do not start it now, only when the machine starts' },
  ],
  async run(args, given) {
    if (args.length > 0) throw new UsageError(`install-service takes options only, and "${args[0]}" is none`);
    const { runInstall } = await import('./install-service-run.ts');
    return runInstall(given as unknown as InstallServiceOptions);
  },
};

function parseConfigPath(text: string): string {
  if (isAbsolute(text) && !/[\n\r]/.test(text) && resolve(text) === text) return text;
  throw new UsageError(`--config takes the whole path of a file, such as /etc/synscope.yaml, and "${text}" is none`);
}
