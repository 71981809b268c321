import type { ChildProcess } from 'node:child_process';

/** The running commands, each the leader of a process group, so that none outlives this process. */
class ProcessGroups {
  private readonly children = new Set<ChildProcess>();
  private readonly leaders = new Set<number>();
  private hooked = false;

  /** Takes a process that was started as the leader of its own group. */
  add(child: ChildProcess): void {
    if (child.pid === undefined) return;
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    this.hook();
  }

  /**
   * Takes a process that leads its own group and that Node does not know.
   * @returns is to be called when it was waited for: from then on its number may belong to another one.
   */
  addGroup(pid: number): () => void {
    this.leaders.add(pid);
    this.hook();
    return () => void this.leaders.delete(pid);
  }

  /** Sends a signal to the whole group of a process that {@link addGroup} took. */
  killGroup(pid: number, signal: NodeJS.Signals): void {
    if (!this.leaders.has(pid)) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  private hook(): void {
    if (this.hooked) return;
    this.hooked = true;
    process.once('exit', () => {
      for (const one of this.children) this.kill(one, 'SIGTERM');
      for (const pid of this.leaders) this.killGroup(pid, 'SIGTERM');
    });
  }

  /** Sends a signal to the whole group of a process, or to the process alone when it leads none. */
  kill(child: ChildProcess, signal: NodeJS.Signals): void {
    const { pid } = child;
    if (pid === undefined) return;
    // Before it was waited for, the number cannot belong to another process.
    if (!this.children.has(child) || child.exitCode !== null || child.signalCode !== null) {
      child.kill(signal);
      return;
    }
    try {
      process.kill(-pid, signal);
    } catch {
      child.kill(signal);
    }
  }
}

/** The process groups that this process started. */
export const liveGroups: ProcessGroups = new ProcessGroups();
