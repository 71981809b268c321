import { mkdirSync, writeFileSync } from 'node:fs';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { LabConnect, LabListener, LabNames, LabNode } from '../src/model/scenario.ts';
import { ActorProcess } from './actor-process.ts';
import type { ActorTask } from './actors/tasks.ts';
import { inNamespace, LabError, must, type Ran, run } from './exec.ts';
import { CGROUP_PREFIX, cgroupRoot, removeRun } from './leftovers.ts';
import { drawAddresses, type LabAddresses, namesFor, namespaceOf, SERVER_NAME } from './plan-names.ts';
import { connectTask, listenTask } from './task-defaults.ts';
import { buildTopology } from './topology.ts';

/** One run of the lab: three namespaces and the actors in them. Everything is gone after {@link Lab.close}. */
export class Lab {
  readonly addresses: LabAddresses;
  readonly #actors: ActorProcess[] = [];
  /** The actor of each node for everything that needs no process of its own. */
  readonly #shared = new Map<LabNode, ActorProcess>();
  readonly #listeners = new Map<string, ActorProcess>();
  /** Nodes with files of their own in /etc, which `ip netns exec` puts in place. */
  readonly #ownEtc = new Set<LabNode>();
  #closing: Promise<void> | undefined;

  private constructor(addresses: LabAddresses) {
    this.addresses = addresses;
  }

  /** Builds client ── router ── server, healthy. @throws LabError */
  static async open(seed: number): Promise<Lab> {
    const lab = new Lab(drawAddresses(seed));
    try {
      await buildTopology(lab.addresses);
      const { 4: v4, 6: v6 } = lab.addresses.links;
      const hosts = [
        '127.0.0.1 localhost',
        '::1 localhost',
        `${v6.server.host} ${SERVER_NAME}`,
        `${v4.server.host} ${SERVER_NAME}`,
      ];
      lab.writeEtc('client', { hosts: `${hosts.join('\n')}\n` });
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** The names for a scenario. */
  names(family: 4 | 6): LabNames {
    return namesFor(this.addresses, family);
  }

  /** Name of the network namespace of a node. */
  namespace(node: LabNode): string {
    return namespaceOf(this.addresses.run, node);
  }

  /** Runs a command on a node; its exit code is data. */
  run(node: LabNode, argv: readonly string[], input?: string): Promise<Ran> {
    return run(inNamespace(this.namespace(node), argv), input);
  }

  /** Runs a command on a node that must succeed. @throws LabError */
  must(node: LabNode, argv: readonly string[], input?: string): Promise<string> {
    return must(inNamespace(this.namespace(node), argv), input);
  }

  /** Starts a process that listens. @throws LabError */
  async listen(node: LabNode, listener: LabListener, names: LabNames): Promise<void> {
    const actor = this.#start(node, listener.cgroup);
    this.#listeners.set(listener.name ?? 'main', actor);
    await actor.perform({ do: 'listen', listener: listenTask(listener, names) });
  }

  /** Connects from a node, and keeps what connected. `readMs` is how long to look at a connection where the plan does not say. */
  connect(node: LabNode, connect: LabConnect, names: LabNames, readMs = 0): Promise<readonly ConnectResult[]> {
    const { cgroup, landlock, openFiles } = connect;
    const isSpecial = cgroup !== undefined || landlock === true || openFiles !== undefined;
    const actor = isSpecial ? this.#start(node, cgroup) : this.shared(node);
    return actor.perform({ do: 'connect', connect: connectTask(connect, names, readMs) });
  }

  /** Does something on a node that needs no process of its own. @throws LabError */
  async perform(node: LabNode, task: ActorTask): Promise<void> {
    // Among files of its own an actor does not see the cgroups to which programs are attached.
    const actor =
      task.do === 'bpf' ? this.#start(node, undefined, inNamespace(this.namespace(node), [])) : this.shared(node);
    await actor.perform(task);
  }

  /** Signals a listener. @throws LabError when there is none of this name. */
  signal(name: 'STOP' | 'CONT' | 'KILL', listener = 'main'): void {
    const actor = this.#listeners.get(listener);
    if (actor === undefined) throw new LabError(`no listener is called ${listener}`);
    actor.signal(name);
  }

  /** Gives a node files of its own in /etc, as ip-netns(8) does: `resolv.conf`, `hosts`. */
  writeEtc(node: LabNode, files: Readonly<Record<string, string>>): void {
    const folder = `/etc/netns/${this.namespace(node)}`;
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name.replaceAll('/', '_')}`, text);
    this.#ownEtc.add(node);
    // An actor that runs already has the machine's own files.
    this.#shared.delete(node);
  }

  /** Path of a cgroup (version 2) of this run, which is made when it is not there. @throws LabError */
  cgroup(name: string): string {
    const root = cgroupRoot();
    if (root === undefined) throw new LabError('cgroups of version 2 are not mounted');
    const own = `${CGROUP_PREFIX}${this.addresses.run}`;
    const path = `${root}/${name.startsWith(own) ? name : `${own}-${name}`.replaceAll('/', '_')}`;
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** The actor of a node; started when it is needed for the first time, or ahead of that to save the wait. */
  shared(node: LabNode): ActorProcess {
    const actor = this.#shared.get(node) ?? this.#start(node, undefined);
    this.#shared.set(node, actor);
    return actor;
  }

  /** Ends all actors and removes everything. Safe to call twice, at any time. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #enter(node: LabNode): readonly string[] {
    const namespace = this.namespace(node);
    return this.#ownEtc.has(node) ? ['ip', 'netns', 'exec', namespace] : inNamespace(namespace, []);
  }

  async #close(): Promise<void> {
    await Promise.all(this.#actors.map((actor) => actor.end()));
    await removeRun(this.addresses.run);
  }

  #start(node: LabNode, cgroup: string | undefined, enter: readonly string[] = this.#enter(node)): ActorProcess {
    if (this.#closing !== undefined) throw new LabError('the lab is being taken down');
    const actor = new ActorProcess(enter);
    this.#actors.push(actor);
    // It waits for its first task, so it opens nothing before it is in its cgroup.
    if (cgroup !== undefined) writeFileSync(`${this.cgroup(cgroup)}/cgroup.procs`, String(actor.pid));
    return actor;
  }
}
