import { createSocket } from 'node:dgram';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';

/** A request that a receiver got. */
export interface Received {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What listens until it is closed. */
export interface Listening<T> {
  readonly received: readonly T[];
  /** Where it listens, as configurations spell it. */
  readonly to: string;
  close(): void;
}

/** An HTTP server that keeps what it gets, and answers with one status after the other (the last for ever; 0: not at all). */
export async function httpReceiver(...answers: readonly number[]): Promise<Listening<Received>> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.once('end', () => {
      received.push({ method: request.method ?? '', headers: request.headers, body });
      const status = answers[Math.min(received.length, answers.length) - 1] ?? 200;
      if (status === 0) return;
      response
        .writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : { 'retry-after': '0' })
        .end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    received,
    to: `http://127.0.0.1:${port}/hook`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A UDP socket that keeps what it gets. */
export async function udpReceiver(address: '127.0.0.1' | '::1'): Promise<Listening<string>> {
  const received: string[] = [];
  const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
  socket.on('message', (message) => received.push(message.toString('utf8')));
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const host = address === '::1' ? '[::1]' : address;
  return { received, to: `udp://${host}:${socket.address().port}`, close: () => void socket.close() };
}

/** A stream socket that keeps what it gets: on a port, or on a path. */
export async function streamReceiver(path?: string): Promise<Listening<string>> {
  const received: string[] = [];
  const server = createTcpServer((socket) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('end', () => received.push(text)).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  return {
    received,
    to: path === undefined ? `tcp://127.0.0.1:${port}` : `unix:${path}`,
    close: () => void server.close(),
  };
}
