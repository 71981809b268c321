import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { type CommandResult, HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { liveGroups } from './process-groups.ts';
import { findProgram, type ProcessEnd, type SpawnCalls, spawnCalls } from './spawn-calls.ts';
import { type DescriptorWatch, systemCalls } from './system.ts';

/** What is run, and how much of it is waited for. */
export interface QuickCommand {
  readonly argv: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly timeoutMs: number;
  /** More than this on standard output ends it. */
  readonly maxBytes: number;
  /** Of standard error the rest is thrown away. */
  readonly maxStderrBytes: number;
  /** What the program is called in messages. */
  readonly name: string;
  /** Surrounds the start: the process inherits the namespaces that the thread is in at that moment. */
  readonly enter?: <T>(start: () => T) => T;
}

const CHUNK_BYTES = 64 * 1024;

/** Whether {@link runQuickly} can be had here. */
export function canRunQuickly(): boolean {
  return spawnCalls() !== undefined;
}

/**
 * Runs a command to its end without copying this process first, as the `spawn` of Node does: that takes ten milliseconds for each command
 * where this takes one.
 * @throws HostError
 */
export async function runQuickly(command: QuickCommand): Promise<CommandResult> {
  const calls = spawnCalls() as SpawnCalls;
  const [stdout, stderr] = [calls.pipe(), calls.pipe()];
  let pid: number;
  try {
    pid = launch(calls, command, stdout.writeEnd, stderr.writeEnd);
  } catch (error) {
    closeSync(stdout.readEnd);
    closeSync(stderr.readEnd);
    throw hostFailure(error, `${command.argv[0]} cannot be run`);
  } finally {
    closeSync(stdout.writeEnd);
    closeSync(stderr.writeEnd);
  }
  const leave = liveGroups.addGroup(pid);
  let failure: HostError | undefined;
  const fail = (error: HostError): void => {
    failure ??= error;
    liveGroups.killGroup(pid, 'SIGKILL');
  };
  const out = new Collector(stdout.readEnd, command.maxBytes, () =>
    fail(new HostError('failed', `${command.name} wrote more than ${command.maxBytes} bytes`)),
  );
  const errors = new Collector(stderr.readEnd, command.maxStderrBytes);
  const timer = setTimeout(() => {
    fail(new HostError('timed-out', `${command.name} did not end within ${command.timeoutMs / 1000} s`));
    // Something that left the group may hold the pipes open for ever.
    out.stop();
    errors.stop();
  }, command.timeoutMs);
  try {
    const [end] = await Promise.all([ended(calls, pid).finally(leave), out.finished, errors.finished]);
    if (failure !== undefined) throw failure;
    return resultOf(command.name, end, out.text(), errors.text());
  } finally {
    clearTimeout(timer);
  }
}

/** As {@link runQuickly}, while the process waits. @throws HostError */
export function runQuicklySync(command: QuickCommand): CommandResult {
  const calls = spawnCalls() as SpawnCalls;
  const [stdout, stderr] = [calls.memory(), calls.memory()];
  try {
    let pid: number;
    try {
      pid = launch(calls, command, stdout, stderr);
    } catch (error) {
      throw hostFailure(error, `${command.argv[0]} cannot be run`);
    }
    const leave = liveGroups.addGroup(pid);
    const descriptor = calls.processDescriptor(pid);
    const isInTime = calls.waitReadable(descriptor, command.timeoutMs);
    if (!isInTime) {
      liveGroups.killGroup(pid, 'SIGKILL');
      calls.waitReadable(descriptor, command.timeoutMs);
    }
    closeSync(descriptor);
    const end = calls.reap(pid);
    leave();
    if (!isInTime || end === undefined) {
      throw new HostError('timed-out', `${command.name} did not end within ${command.timeoutMs / 1000} s`);
    }
    return resultOf(command.name, end, contentOf(stdout, command.maxBytes), contentOf(stderr, command.maxStderrBytes));
  } finally {
    closeSync(stdout);
    closeSync(stderr);
  }
}

function launch(calls: SpawnCalls, command: QuickCommand, stdout: number, stderr: number): number {
  const { argv, environment, input, enter = (start) => start() } = command;
  const [program = ''] = argv;
  if (program === '') throw new TypeError('a command needs a program');
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`,
  );
  if ([...argv, ...variables].some((word) => word.includes('\0'))) {
    throw new TypeError(`a word of the command ${program} holds a zero byte`);
  }
  const stdin = input === undefined ? openSync('/dev/null', constants.O_RDONLY) : inputOf(calls, input);
  try {
    return enter(() => {
      const path = findProgram(program, environment.PATH ?? '');
      if (path === undefined) throw notFound(program);
      const stdio = [stdin, stdout, stderr];
      try {
        return calls.spawn(path, argv, variables, stdio);
      } catch (error) {
        // A script that does not say by what it is run.
        if ((error as NodeJS.ErrnoException).code !== 'ENOEXEC') throw error;
        return calls.spawn('/bin/sh', ['sh', path, ...argv.slice(1)], variables, stdio);
      }
    });
  } finally {
    closeSync(stdin);
  }
}

/** As a file in memory: nobody has to wait until it is read, and it can be opened again as /dev/stdin. */
function inputOf(calls: SpawnCalls, input: string): number {
  const fd = calls.memory();
  const bytes = Buffer.from(input);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

function contentOf(fd: number, maxBytes: number): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at < maxBytes; ) {
    const piece = Buffer.alloc(CHUNK_BYTES);
    const length = readSync(fd, piece, 0, CHUNK_BYTES, at);
    if (length === 0) break;
    pieces.push(piece.subarray(0, length));
    at += length;
  }
  return Buffer.concat(pieces).toString('utf8');
}

function resultOf(name: string, end: ProcessEnd, stdout: string, stderr: string): CommandResult {
  if ('signal' in end) throw new HostError('failed', `${name} was ended by ${end.signal}`);
  return { exitCode: end.exitCode, stdout, stderr };
}

/** Waits for the end of a process, and takes its status. */
function ended(calls: SpawnCalls, pid: number): Promise<ProcessEnd> {
  const descriptor = calls.processDescriptor(pid);
  return new Promise((resolve, reject) => {
    const watch = systemCalls().watch(descriptor, 'readable', () => {
      watch.close();
      closeSync(descriptor);
      try {
        resolve(calls.reap(pid) ?? { signal: 'nobody knows what' });
      } catch (error) {
        reject(error);
      }
    });
    watch.resume();
  });
}

/** Takes what comes out of a pipe until its end. */
class Collector {
  readonly finished: Promise<void>;
  private readonly fd: number;
  private readonly pieces: Buffer[] = [];
  private readonly watch: DescriptorWatch;
  private bytes = 0;
  private isOpen = true;
  private done: () => void = () => {};

  constructor(fd: number, maxBytes: number, onTooMuch?: () => void) {
    this.fd = fd;
    this.finished = new Promise((resolve) => {
      this.done = resolve;
    });
    const calls = systemCalls();
    const buffer = Buffer.alloc(CHUNK_BYTES);
    this.watch = calls.watch(fd, 'readable', () => {
      if (!this.isOpen) return;
      const length = calls.readReady(fd, buffer);
      if (length === 0) return this.stop();
      if (this.bytes < maxBytes) this.pieces.push(Buffer.from(buffer.subarray(0, length)));
      const wasTooMuch = this.bytes > maxBytes;
      this.bytes += length;
      if (this.bytes > maxBytes && !wasTooMuch) onTooMuch?.();
    });
    this.watch.resume();
  }

  stop(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.watch.close();
    closeSync(this.fd);
    this.done();
  }

  text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}

/** As Node says it. */
function notFound(program: string): NodeJS.ErrnoException {
  const syscall = `spawn ${program}`;
  return Object.assign(new Error(`${syscall} ENOENT`), { code: 'ENOENT', errno: -2, syscall, path: program });
}
