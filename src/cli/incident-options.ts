import type { CommandOption } from './command.ts';

/** Option of the commands that ask a watch. */
export const FROM_OPTION: CommandOption = {
  flags: '--from <folder>',
  description: 'the state folder of the watch, if it was started with --state',
};
