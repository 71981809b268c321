import { InputError } from '../../model/errors.ts';
import type { Host } from '../host.ts';
import { LocalHost } from '../local-host.ts';
import { isProcessOf, processOfContainer } from './container-process.ts';
import { findContainer, parseContainerName } from './docker.ts';
import { ExecHost } from './exec-host.ts';
import { type CommandBase, NodeNamespaceHost } from './node-namespace-host.ts';
import { openProcess, parsePid } from './pid-host.ts';
import { findPod, parsePodName } from './pod.ts';

/** What `--on` names by one of these begins with it, and may end in `@ssh:…`: the machine on which it runs. */
export type ContainerKind = 'pid' | 'docker' | 'pod';

/**
 * Opens the network namespace of a process or container.
 * @param text what follows the kind: `NAME`, or `NAME@ssh:[user@]host`.
 * @param openSsh connects to a machine.
 * @throws InputError
 */
export async function openContainer(
  kind: ContainerKind,
  text: string,
  openSsh: (target: string) => Promise<CommandBase>,
): Promise<Host> {
  const spec = `${kind}:${text}`;
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const machine = at < 0 ? undefined : text.slice(at + 1);
  if (machine !== undefined && !machine.startsWith('ssh:')) {
    throw new InputError({
      code: 'bad-host',
      message: `${kind}:${name}@ takes the machine that it runs on, ssh:[user@]host[:port], and "${machine}" is none.`,
    });
  }
  const find = { pid: processById, docker: processOfDocker, pod: processOfPod }[kind](name);
  const local = new LocalHost();
  if (machine === undefined) {
    const found = await find(local, spec);
    return typeof found === 'number' ? openProcess(found, spec) : found.elsewhere();
  }
  const base = await openSsh(machine.slice('ssh:'.length));
  try {
    const found = await find(base, spec);
    if (typeof found === 'number') return await NodeNamespaceHost.open(spec, base, found);
    throw new InputError({ code: 'not-found', message: `${spec}: ${found.why}.` });
  } catch (error) {
    await base.close();
    throw error;
  }
}

/** A process on the machine that was asked, or what else there is. */
type Found = number | { readonly why: string; elsewhere(): Promise<Host> };
/** Finds the process on a machine. */
type Find = (host: Host, spec: string) => Promise<Found>;

function processById(text: string): Find {
  const pid = parsePid(text);
  return async () => pid;
}

function processOfDocker(text: string): Find {
  const name = parseContainerName(text);
  return async (host, spec) => {
    const { engine, id, pid } = await findContainer(host, name);
    if (await isProcessOf(host, pid, id)) return pid;
    const exec = (interactive: boolean): string[] => [engine, 'exec', ...(interactive ? ['--interactive'] : []), id];
    const hint = `With the tools of the machine of the container: --on ${spec}@ssh:root@HOST, or synscope there.`;
    return {
      why: `the container runs on another machine than this ${engine}`,
      elsewhere: () => ExecHost.open({ spec, what: `container ${name}`, exec, hint }),
    };
  };
}

function processOfPod(text: string): Find {
  const asked = parsePodName(text);
  return async (host, spec) => {
    const { namespace, name, container, node, id } = await findPod(new LocalHost(), asked);
    const pid = await processOfContainer(host, id);
    if (pid !== undefined) return pid;
    const exec = (interactive: boolean): string[] => [
      ...['kubectl', 'exec', ...(interactive ? ['--stdin'] : [])],
      ...['--namespace', namespace, name, '--container', container, '--'],
    ];
    const hint = `With the tools of its node: --on ${spec}@ssh:root@${node}, or synscope there.`;
    return {
      why: `the pod does not run there, but on ${node}`,
      elsewhere: () => ExecHost.open({ spec, what: `pod ${namespace}/${name}`, exec, hint }),
    };
  };
}
