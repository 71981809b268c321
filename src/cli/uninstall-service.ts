import { type Command, UsageError } from './command.ts';
import { SERVICE_OPTIONS } from './install-service.ts';

/** What the options of `uninstall-service` were set to. */
export interface UninstallServiceOptions {
  readonly config: string;
  readonly root: string;
  readonly purge?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const command: Command = {
  name: 'uninstall-service',
  argument: '',
  argumentDescription: '',
  summary: 'end the service and remove it; its data stay unless told otherwise',
  examples: [
    ['sudo synscope uninstall-service', 'the history, the configuration and the user stay'],
    ['sudo synscope uninstall-service --purge', 'nothing stays'],
  ],
  options: [
    ...SERVICE_OPTIONS,
    { flags: '--purge', description: 'also remove the history, the configuration, drop-ins and the user' },
  ],
  async run(args, given) {
    if (args.length > 0) throw new UsageError(`uninstall-service takes options only, and "${args[0]}" is none`);
    const { runUninstall } = await import('./install-service-run.ts');
    return runUninstall(given as unknown as UninstallServiceOptions);
  },
};
