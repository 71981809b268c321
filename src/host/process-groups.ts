import type { ChildProcess } from 'node:child_process';

/** The running commands, each the leader of a process group, so that none outlives this process. */
class ProcessGroups {
  private readonly children = new Set<ChildProcess>();
  private hooked = false;

  /** Takes a process that was started as the leader of its own group. */
  add(child: ChildProcess): void {
    if (child.pid === undefined) return;
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    if (this.hooked) return;
    this.hooked = true;
    process.once('exit', () => {
      for (const one of this.children) this.kill(one, 'SIGTERM');
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
