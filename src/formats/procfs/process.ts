/**
 * Parses the state of a process from /proc/PID/stat (proc(5)): `R`, `S`, `D`, `T`, `t`, `Z`. The name before it is in parentheses and
 * may hold anything, also parentheses.
 */
export function parseProcessState(stat: string): string | undefined {
  return /^\s([A-Za-z])\s/.exec(stat.slice(stat.lastIndexOf(')') + 1))?.[1];
}

/** Parses the soft limit of open files from /proc/PID/limits; undefined when there is none, or it is unlimited. */
export function parseOpenFilesLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** Cgroups of a process, by hierarchy. */
export interface ProcessCgroups {
  /** Path in the unified hierarchy (cgroup v2). */
  readonly unified?: string;
  /** Path in the freezer hierarchy (cgroup v1). */
  readonly freezer?: string;
}

/** Parses /proc/PID/cgroup (cgroups(7)): lines `0::/path` (v2) and `9:freezer:/path` (v1). */
export function parseCgroups(text: string): ProcessCgroups {
  const unified = /^0::(\/.*)$/m.exec(text)?.[1];
  const freezer = /^\d+:(?:[\w=,-]*,)?freezer(?:,[\w=,-]*)?:(\/.*)$/m.exec(text)?.[1];
  return { ...(unified === undefined ? {} : { unified }), ...(freezer === undefined ? {} : { freezer }) };
}

/** The systemd unit that a cgroup path names: its deepest `.service`, else its deepest `.scope`. */
export function unitOfCgroup(path: string): string | undefined {
  const parts = path.split('/').reverse();
  return parts.find((part) => part.endsWith('.service')) ?? parts.find((part) => part.endsWith('.scope'));
}

/** Whether a cgroup is frozen, by its `cgroup.events` (v2) or `freezer.state` (v1). */
export function parseFrozen(text: string): boolean {
  return /^frozen 1$/m.test(text) || /^FROZEN$/m.test(text);
}

/** Who a process is allowed to be, of /proc/PID/status. */
export interface ProcessRights {
  readonly effectiveUid?: number;
  /** Bits of capabilities(7). */
  readonly effectiveCapabilities?: bigint;
}

/** Parses effective user id and capabilities from /proc/PID/status. */
export function parseRights(status: string): ProcessRights {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
  const capabilities = /^CapEff:\s+([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return {
    ...(uid === undefined ? {} : { effectiveUid: Number(uid) }),
    ...(capabilities === undefined ? {} : { effectiveCapabilities: BigInt(`0x${capabilities}`) }),
  };
}
