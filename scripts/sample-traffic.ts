/**
 * The programs that talk in the recorded samples (scripts/record-samples.sh).
 *   sample-traffic.ts serve ADDRESS PORT [BACKLOG]      accepts, answers one line, prints `ready`
 *   sample-traffic.ts connect ADDRESS PORT [TIMES [FROM_ADDRESS]]  asks one line, waits for the answer; prints how it went
 */
import { connect, createServer } from 'node:net';
import process from 'node:process';

const [verb, address, port, ...rest] = process.argv.slice(2);

if (verb === 'serve') {
  const server = createServer((socket) => {
    socket.on('data', () => socket.end('pong\n'));
    socket.on('error', () => {});
  });
  server.listen({ host: address, port: Number(port), backlog: Number(rest[0] ?? 511) }, () => console.log('ready'));
} else {
  for (let i = 0; i < Number(rest[0] ?? 1); i++) console.log(await connectOnce(rest[1]));
}

function connectOnce(localAddress: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ host: address!, port: Number(port), ...from });
    socket.on('connect', () => socket.write('ping\n'));
    socket.on('data', () => {});
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('ok'));
  });
}
