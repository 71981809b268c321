import { type CommandResult, HostError } from '../host.ts';
import { NotBegun, RemoteChannel } from './remote-channel.ts';
import { lastLine, quoteForShell } from './remote-command.ts';
import { SHELL_WORDS } from './remote-shell.ts';
import type { SshConnection } from './ssh-connection.ts';
import type { FilterEndpoint } from './tcpdump-filter.ts';

const ASK: readonly string[] = ['sh', '-c', 'id -u; echo "$SSH_CONNECTION"'];
/** A password may have to be typed. */
const OPEN_TIMEOUT_MS = 120_000;

/** Who we are on another machine, and from where we come. */
export interface Greeting {
  readonly ownEnd: FilterEndpoint | undefined;
  readonly isRoot: boolean;
  /** The shell that was asked; absent when it has the terminal, whose Ctrl-C would end it. */
  readonly shell?: RemoteChannel;
}

/**
 * Opens the connection, and asks who we are there and from where we come.
 * @param isAllowed whether ssh may ask for a password or about a key, where there is a terminal.
 * @throws HostError when it cannot be reached.
 */
export async function greet(connection: SshConnection, target: string, isAllowed: boolean): Promise<Greeting> {
  const mayAsk = isAllowed && process.stdin.isTTY === true && process.stderr.isTTY === true;
  const line = SHELL_WORDS.map(quoteForShell).join(' ');
  const settings = mayAsk ? { onTerminal: true, onStderr: askAgain } : {};
  const shell = new RemoteChannel(connection.command(line, mayAsk), settings);
  let isKept = false;
  try {
    const { stdout } = await asked(shell, target, connection);
    isKept = !mayAsk;
    return { ...parseGreeting(stdout), ...(isKept ? { shell } : {}) };
  } finally {
    if (!isKept) await shell.end();
  }
}

async function asked(shell: RemoteChannel, target: string, connection: SshConnection): Promise<CommandResult> {
  try {
    return (await shell.run(ASK, { timeoutMs: OPEN_TIMEOUT_MS })) as CommandResult;
  } catch (error) {
    if (error instanceof HostError && error.code === 'not-found')
      throw new HostError('not-found', 'ssh is not installed on this machine', { cause: error });
    if (error instanceof HostError) throw new HostError('unreachable', `${target} cannot be reached: ${error.message}`);
    if (!(error instanceof NotBegun)) throw error;
    const { stderr, exitCode } = error;
    if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) throw wrongKey(target, stderr);
    const why = exitCode === null ? 'ssh was interrupted' : lastLine(stderr) || 'ssh failed';
    const hint = hintFor(stderr, connection);
    const message = `${target} cannot be reached: ${why}`.replace(/\.$/, '');
    throw new HostError('unreachable', message, hint === undefined ? {} : { hint });
  }
}

function parseGreeting(stdout: string): Omit<Greeting, 'shell'> {
  const [uid, from = ''] = stdout.trim().split('\n');
  const [, address, port] = /^(\S+) (\d+) /.exec(from) ?? [];
  return {
    isRoot: uid === '0',
    ownEnd: address === undefined || port === undefined ? undefined : { address, port: Number(port) },
  };
}

/** Says on the terminal that a password was wrong: ssh asks for it again there. */
function askAgain(text: string): void {
  if (/^[^\n]*please try again\.\r?\n$/.test(text)) process.stderr.write(text);
}

/** What a person can do when ssh refuses, in the words of ssh. */
function hintFor(stderr: string, { target }: SshConnection): string | undefined {
  const { user, host, port } = target;
  const byHand = [
    'ssh',
    ...(port === undefined ? [] : ['-p', port]),
    user === undefined ? host : `${user}@${host}`,
  ].join(' ');
  if (/Host key verification failed/.test(stderr))
    return `Its host key is not known here: compare it on a first connection by hand, with: ${byHand}`;
  if (/Permission denied/.test(stderr))
    return `Let "${byHand} true" work: with a key and an agent, or start synscope on a terminal, where ssh may ask for a password.`;
  return undefined;
}

/** Somebody else may answer in its place: that is for a person to decide. */
function wrongKey(target: string, stderr: string): HostError {
  const [, file, line] = /^Offending \S+ key in (\S+):(\d+)/m.exec(stderr) ?? [];
  const known = file === undefined ? 'the known_hosts file' : `line ${line} of ${file}`;
  return new HostError('unreachable', `${target} is not trusted: its host key is another than ${known} says`, {
    hint: `Make sure that it is the right machine; if its key was really changed: ssh-keygen -R HOST${file === undefined ? '' : ` -f ${file}`}`,
  });
}
