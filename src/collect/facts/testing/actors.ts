import { type ChildProcess, spawn } from 'node:child_process';

/** A process of a test in a network namespace. */
export interface Actor {
  readonly pid: number;
  /** The first line that it printed. */
  readonly line: string;
  signal(signal: NodeJS.Signals): void;
  end(): Promise<void>;
}

/** Listens on a port with a backlog and takes connections. */
export const LISTEN = `
const [address, port, backlog] = process.argv.slice(1);
require('node:net').createServer(() => {}).listen({ host: address, port: Number(port), backlog: Number(backlog) }, () => console.log('up'));
`;

/** Begins so many connections at once, says for each how it went, and holds them. */
export const CONNECT = `
const [address, port, count] = process.argv.slice(1);
console.log('up');
for (let index = 0; index < Number(count); index++) {
  require('node:net').connect({ host: address, port: Number(port) }).on('error', () => {});
}
setTimeout(() => {}, 60000);
`;

/** Runs JavaScript in a namespace, and waits until it says something. */
export async function startActor(namespace: string, code: string, ...argv: readonly string[]): Promise<Actor> {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', code, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await firstLine(child);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid ?? 0,
    line,
    signal: (signal) => void child.kill(signal),
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
}
