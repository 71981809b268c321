import { InputError } from '../../model/errors.ts';
import { type CommandResult, type Host, HostError } from '../host.ts';
import { lastLine } from '../ssh/remote-command.ts';
import { isContainerId } from './container-process.ts';

/** Engines that are asked for a container, in this order; both know the same commands. */
const ENGINES = ['docker', 'podman'] as const;

/** A container that runs. */
export interface DockerContainer {
  readonly engine: (typeof ENGINES)[number];
  readonly id: string;
  /** Its first process, as the machine of the engine numbers it. */
  readonly pid: number;
}

/**
 * Reads what `--on docker:` takes: the name or id of a container.
 * @throws InputError
 */
export function parseContainerName(text: string): string {
  if (/^[a-zA-Z0-9][\w.-]{0,254}$/.test(text)) return text;
  throw new InputError({
    code: 'bad-host',
    message: `docker: takes the name or id of a container, and "${text}" is none.`,
    hint: 'See: docker ps',
  });
}

/**
 * Asks the engines of a host for a container.
 * @throws InputError when none has it, or it does not run.
 */
export async function findContainer(host: Host, name: string): Promise<DockerContainer> {
  const refusals: string[] = [];
  for (const engine of ENGINES) {
    const answer = await inspect(host, engine, name);
    if (answer === undefined) continue;
    const [pid = '', id = ''] = answer.stdout.trim().split(' ');
    if (answer.exitCode !== 0) {
      refusals.push(`${engine} says: ${lastLine(answer.stderr).replace(/^Error: |[.?]$/g, '')}`);
    } else if (!isContainerId(id) || !/^\d{1,10}$/.test(pid)) {
      throw new InputError({ code: 'failed', message: `What ${engine} inspect says of ${name} cannot be read.` });
    } else if (pid === '0') {
      throw new InputError({
        code: 'not-found',
        message: `Container ${name} does not run.`,
        hint: `See: ${engine} ps -a`,
      });
    } else {
      return { engine, id, pid: Number(pid) };
    }
  }
  const none = refusals.length === 0;
  throw new InputError({
    code: none ? 'not-found' : 'unreachable',
    message: none
      ? `Container ${name} cannot be looked for: neither docker nor podman is installed.`
      : `There is no container ${name} to look at: ${refusals.join('; ')}.`,
    ...(none ? { hint: 'With the id of a process in it: --on pid:NUMBER' } : {}),
  });
}

/** Undefined where there is no such engine. */
async function inspect(host: Host, engine: string, name: string): Promise<CommandResult | undefined> {
  const argv = [engine, 'inspect', '--type', 'container', '--format', '{{.State.Pid}} {{.Id}}', name];
  try {
    return await host.run(argv, { timeoutMs: 30_000 });
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (error.code === 'not-found') return undefined;
    return { exitCode: 1, stdout: '', stderr: error.message };
  }
}
