import { type CommandResult, HostError } from '../host.ts';
import { runProcess } from '../run-process.ts';
import { lastLine, remoteCommand } from './remote-command.ts';
import type { SshConnection } from './ssh-connection.ts';
import type { FilterEndpoint } from './tcpdump-filter.ts';

/** A password may have to be typed. */
const OPEN_TIMEOUT_MS = 120_000;

/** Who we are on another machine, and from where we come. */
export interface Greeting {
  readonly ownEnd: FilterEndpoint | undefined;
  readonly isRoot: boolean;
}

/**
 * Opens the connection, and asks who we are there and from where we come.
 * @param isAllowed whether ssh may ask for a password or about a key, where there is a terminal.
 * @throws HostError when it cannot be reached.
 */
export async function greet(connection: SshConnection, target: string, isAllowed: boolean): Promise<Greeting> {
  const mayAsk = isAllowed && process.stdin.isTTY === true && process.stderr.isTTY === true;
  const line = remoteCommand(['sh', '-c', 'id -u; echo "$SSH_CONNECTION"'], {});
  let answer: CommandResult;
  try {
    answer = await runProcess(
      connection.command(line, mayAsk),
      { timeoutMs: OPEN_TIMEOUT_MS },
      { onTerminal: mayAsk, name: 'ssh' },
    );
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
    throw new HostError('not-found', 'ssh is not installed on this machine', { cause: error });
  }
  const { exitCode, stdout, stderr } = answer;
  if (exitCode !== 0) {
    if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) throw wrongKey(target, stderr);
    const denied = /Permission denied|Host key verification failed/.test(stderr);
    const message = `${target} cannot be reached: ${lastLine(stderr) || 'ssh failed'}`.replace(/\.$/, '');
    const hint = 'Make sure that ssh reaches it with a key, without a question.';
    throw new HostError('unreachable', message, denied ? { hint } : {});
  }
  const [uid, from = ''] = stdout.trim().split('\n');
  const [, address, port] = /^(\S+) (\d+) /.exec(from) ?? [];
  return {
    isRoot: uid === '0',
    ownEnd: address === undefined || port === undefined ? undefined : { address, port: Number(port) },
  };
}

/** Somebody else may answer in its place: that is for a person to decide. */
function wrongKey(target: string, stderr: string): HostError {
  const [, file, line] = /^Offending \S+ key in (\S+):(\d+)/m.exec(stderr) ?? [];
  const known = file === undefined ? 'the known_hosts file' : `line ${line} of ${file}`;
  return new HostError('unreachable', `${target} is not trusted: its host key is another than ${known} says`, {
    hint: `Make sure that it is the right machine; if its key was really changed: ssh-keygen -R HOST${file === undefined ? '' : ` -f ${file}`}`,
  });
}
