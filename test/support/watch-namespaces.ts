import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeNamespacePair, type NamespacePair, SERVER_V4 } from '../../src/host/testing/namespaces.ts';

/** An address of the client that the server reaches by its default route alone. */
export const FAR_CLIENT = '10.88.0.2';
const SERVER: string = SERVER_V4;

/** A server and its client in namespaces of their own, with traffic between them. */
export class WatchNetwork {
  readonly pair: NamespacePair;
  private readonly children: ChildProcess[] = [];

  constructor(prefix: string) {
    this.pair = makeNamespacePair(prefix);
    this.ip('client', 'addr', 'add', `${FAR_CLIENT}/32`, 'dev', 'eth0');
    this.ip('server', 'route', 'add', 'default', 'via', '10.77.0.2');
  }

  /** Runs ip(8) in one of the two. */
  ip(where: 'server' | 'client', ...argv: string[]): void {
    execFileSync('ip', ['-n', this.pair[where], ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Runs a command in one of the two. */
  run(where: 'server' | 'client', ...argv: string[]): void {
    execFileSync('ip', ['netns', 'exec', this.pair[where], ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Accepts connections in the server. */
  async listen(port: number): Promise<ChildProcess> {
    const program = `require('node:net').createServer((s) => { s.on('error', () => {}); s.end(); }).listen(${port}, '::', 511, () => console.log('up'))`;
    const child = this.spawn('server', process.execPath, '-e', program);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    return child;
  }

  /** One connect() of the client that waits in vain for so long at most; from the far address unless told. */
  connect(port: number, from: string = FAR_CLIENT, timeoutMs: number = 1500, to: string = SERVER): ChildProcess {
    const program = `const s = require('node:net').connect({ host: '${to}', port: ${port}, localAddress: '${from}' });
      s.on('connect', () => { console.log('connected'); s.destroy(); }).on('error', (e) => { console.log(e.code); });
      setTimeout(() => process.exit(), ${timeoutMs});`;
    return this.spawn('client', process.execPath, '-e', program);
  }

  /** Connects and tells what came of it. */
  async tryConnect(port: number, from?: string, to?: string): Promise<string> {
    const child = this.connect(port, from, 5000, to);
    let said = '';
    child.stdout?.on('data', (text: Buffer) => {
      said += text.toString();
    });
    await new Promise((resolve) => child.once('close', resolve));
    return said.trim();
  }

  spawn(where: 'server' | 'client', ...argv: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.pair[where], ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    return child;
  }

  remove(): void {
    for (const child of this.children) child.kill('SIGKILL');
    this.pair.remove();
  }
}

/** Waits until something is so; fails after a while with what was seen last. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  timeoutMs: number = 60_000,
): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found as T;
    if (Date.now() > endMs) throw new Error(`this did not happen: ${what}`);
    await sleep(50);
  }
}

/** Makes a namespace without a name-giver's help, and takes it away again. */
export function namespace(name: string, action: 'add' | 'del'): void {
  spawnSync('ip', ['netns', action, name]);
}
