import { InputError } from '../../model/errors.ts';
import { type Host, HostError } from '../host.ts';
import { lastLine } from '../ssh/remote-command.ts';
import { isContainerId } from './container-process.ts';

/** What `--on pod:` names. */
export interface PodName {
  /** That of kubectl's context when absent. */
  readonly namespace?: string;
  readonly name: string;
  readonly container?: string;
}

/** A container of a pod that runs. */
export interface PodContainer extends PodName {
  readonly namespace: string;
  readonly container: string;
  readonly node: string;
  /** As its runtime knows it. */
  readonly id: string;
}

/**
 * Reads `NAMESPACE/NAME[/CONTAINER]`, or `NAME` in the namespace of kubectl's context.
 * @throws InputError
 */
export function parsePodName(text: string): PodName {
  const parts = text.split('/');
  const [first = '', name, container] = parts;
  if (parts.length > 3 || !parts.every(isName)) {
    throw new InputError({
      code: 'bad-host',
      message: `pod: takes NAMESPACE/NAME or NAMESPACE/NAME/CONTAINER, and "${text}" is neither.`,
      hint: 'See: kubectl get pods --all-namespaces',
    });
  }
  if (name === undefined) return { name: first };
  return { namespace: first, name, ...(container === undefined ? {} : { container }) };
}

/**
 * Asks the cluster for a pod, by the kubectl of a host.
 * @throws InputError when there is none, or it does not run.
 */
export async function findPod(host: Host, pod: PodName): Promise<PodContainer> {
  const scope = pod.namespace === undefined ? [] : ['--namespace', pod.namespace];
  const argv = ['kubectl', 'get', 'pod', pod.name, ...scope, '--output', 'json'];
  const answer = await host.run(argv, { timeoutMs: 30_000 }).catch((error: unknown) => {
    if (!(error instanceof HostError)) throw error;
    const isMissing = error.code === 'not-found';
    throw new InputError({
      code: error.code,
      message: isMissing
        ? `Pod ${pod.name} cannot be looked for: kubectl is not installed.`
        : `Pod ${pod.name} cannot be looked for: ${error.message}.`,
    });
  });
  if (answer.exitCode !== 0) {
    throw new InputError({
      code: 'unreachable',
      message: `There is no pod ${pod.name} to look at: kubectl says: ${lastLine(answer.stderr).replace(/[.?]$/, '')}.`,
    });
  }
  return readPod(answer.stdout, pod);
}

/**
 * Reads a pod of the Kubernetes API, and chooses a container of it: the one that was asked for, the default one (its annotation), or the
 * first that runs.
 * @throws InputError
 */
function readPod(json: string, asked: PodName): PodContainer {
  const pod = parse(json, asked.name);
  const { namespace, annotations } = record(pod.metadata);
  const node = record(pod.spec).nodeName;
  const statuses = list(record(pod.status).containerStatuses).map(record);
  const running = statuses.filter(({ state }) => record(state).running !== undefined);
  const preferred = asked.container ?? record(annotations)['kubectl.kubernetes.io/default-container'];
  const chosen =
    running.find(({ name }) => name === preferred) ?? (asked.container === undefined ? running[0] : undefined);
  if (chosen === undefined) {
    const { phase } = record(pod.status);
    const state = typeof phase === 'string' ? ` (the pod is ${phase})` : '';
    const none = `No container of pod ${asked.name} runs`;
    const named = `Container ${asked.container} of pod ${asked.name} does not run`;
    throw new InputError({
      code: 'not-found',
      message: `${asked.container === undefined ? none : named}${state}.`,
      ...(running.length === 0 ? {} : { hint: `Running: ${running.map(({ name }) => String(name)).join(', ')}` }),
    });
  }
  const { name: container, containerID } = chosen;
  const id = typeof containerID === 'string' ? containerID.replace(/^[a-z0-9.-]+:\/\//, '') : '';
  if (![namespace, node, container].every((text) => typeof text === 'string' && isName(text)) || !isContainerId(id)) {
    throw unreadable(asked.name);
  }
  return { namespace: `${namespace}`, name: asked.name, container: `${container}`, node: `${node}`, id };
}

/** A name of Kubernetes (RFC 1123 subdomain): no option of a program begins so. */
function isName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text);
}

function parse(json: string, name: string): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(json));
  } catch {
    throw unreadable(name);
  }
}

function unreadable(name: string): InputError {
  return new InputError({ code: 'failed', message: `What kubectl says of pod ${name} cannot be read.` });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
