import process from 'node:process';
import { CommanderError, Command as Program } from 'commander';
import { ParseError } from '../formats/parse-error.ts';
import { HostError } from '../host/host.ts';
import { InputError } from '../model/errors.ts';
import { forTerminal } from '../report/escape.ts';
import { command as causes } from './causes.ts';
import { type Command, EXIT_BUG, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, EXIT_USAGE, UsageError } from './command.ts';
import { command as compare } from './compare.ts';
import { command as connect } from './connect.ts';
import { command as explain } from './explain.ts';
import { command as fix } from './fix.ts';
import { command as incidents } from './incidents.ts';
import { command as installService } from './install-service.ts';
import { interrupt } from './interrupt.ts';
import { command as lab } from './lab.ts';
import { command as listen } from './listen.ts';
import { outputError } from './output.ts';
import { packageVersion } from './package-version.ts';
import { plannedMessage } from './planned.ts';
import { command as prove } from './prove.ts';
import { command as read } from './read.ts';
import { command as record } from './record.ts';
import { command as show } from './show.ts';
import { command as trace } from './trace.ts';
import { command as uninstallService } from './uninstall-service.ts';
import { command as watch } from './watch.ts';

const COMMANDS: readonly Command[] = [
  connect,
  listen,
  trace,
  watch,
  prove,
  fix,
  read,
  compare,
  record,
  explain,
  causes,
  lab,
  installService,
  uninstallService,
  incidents,
  show,
];

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(explainFailure(outputError(error)));
  // The reader of a pipe has left (`| head`): nobody is there to be told, but files that were asked for are still written.
  interrupt();
});
void main(process.argv).then((code) => {
  process.exitCode = code;
});

/** Runs one command line and returns its exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let code = EXIT_NOTHING_WRONG;
  const program = new Program('synscope')
    .description('Finds out why a TCP connection does not come up.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('See: synscope --help')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(forTerminalLines(inOurWords(text))) });
  // A line that names its command needs no other: making all of them takes longer than parsing it.
  const named = COMMANDS.find(({ name }) => name === argv[2]);
  for (const command of named === undefined ? COMMANDS : [named]) {
    addCommand(program, command, async (args, options) => {
      code = await command.run(args, options);
    });
  }
  try {
    if (argv.length <= 2) {
      program.outputHelp({ error: true });
      return EXIT_USAGE;
    }
    const planned = plannedMessage(argv.slice(2), packageVersion());
    if (planned !== undefined) {
      process.stderr.write(`synscope: ${planned}\n`);
      return EXIT_USAGE;
    }
    await program.parseAsync([...argv]);
    return code;
  } catch (error) {
    return explainFailure(error);
  }
}

function addCommand(
  program: Program,
  command: Command,
  run: (args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<void>,
): void {
  const sub = program
    .command(command.name)
    .summary(command.summary)
    .description(`${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`)
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError(`See: synscope ${command.name} --help`)
    .allowExcessArguments()
    .exitOverride()
    .addHelpText(
      'after',
      `\nExamples:\n${command.examples.map(([line, what]) => `  ${line}\n      ${what}\n`).join('')}`,
    );
  if (command.argument !== '') sub.argument(command.argument, command.argumentDescription);
  for (const { flags, description, parse, initial } of command.options) {
    if (parse === undefined) sub.option(flags, description);
    else sub.option(flags, description, parse, initial);
  }
  sub.action(() => run(sub.args, sub.opts()));
}

/** A message of the parser, as the rest of the program words it. */
function inOurWords(text: string): string {
  return text
    .replace(/^error: /, 'synscope: ')
    .replace(/option '((?:-\w, )?(--\w+) <\w+>)' argument missing/, '$2 needs a value: $1')
    .replace(/missing required argument '(\w+)'/, 'missing <$1>');
}

function explainFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_NOTHING_WRONG : EXIT_USAGE;
  if (error instanceof UsageError || error instanceof InputError || error instanceof ParseError) {
    const isSentence = error.message.endsWith('.');
    const hint = 'hint' in error && error.hint !== undefined ? `${isSentence ? '' : ';'} ${error.hint}` : '';
    process.stderr.write(`synscope: ${forTerminal(`${error.message}${hint}`)}\n`);
    return EXIT_USAGE;
  }
  if (error instanceof HostError) {
    const hint = error.hint === undefined ? '' : `; ${error.hint}`;
    process.stderr.write(`synscope: ${forTerminal(`${error.message}${hint}`)}\n`);
    return EXIT_UNDECIDED;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`synscope: this is a bug of synscope, please report it:\n${forTerminalLines(stack)}\n`);
  return EXIT_BUG;
}

function forTerminalLines(text: string): string {
  return text.split('\n').map(forTerminal).join('\n');
}
