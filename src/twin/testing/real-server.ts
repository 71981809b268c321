import { execFileSync } from 'node:child_process';
import { openNamespace } from '../../host/network-namespace.ts';
import { encodeSocketAddress } from '../../host/socket-address.ts';
import { type SystemCalls, systemCalls } from '../../host/system.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;

/** Listens in a namespace, and accepts nobody. Returns what ends it. */
export function listenIn(
  namespace: string,
  address: string,
  port: number,
  backlog = 128,
  prepare: (calls: SystemCalls, fd: number) => void = () => {},
): () => void {
  const calls = systemCalls();
  const place = openNamespace(namespace);
  const fd = place.enter(() => calls.socket(address.includes(':') ? 10 : 2, SOCK_STREAM | SOCK_NONBLOCK, 0));
  place.close();
  calls.setsockopt(fd, 1, 2, Uint8Array.of(1, 0, 0, 0));
  prepare(calls, fd);
  calls.bind(fd, encodeSocketAddress(address, port, 0) as Uint8Array);
  calls.listen(fd, backlog);
  return () => calls.close(fd);
}

/** Runs a program in a namespace; it must succeed. */
export function inside(namespace: string, argv: readonly string[], input?: string): string {
  return execFileSync('ip', ['netns', 'exec', namespace, ...argv], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
}

/** What is not copied and should be: programs of the machine, which other tests load, cannot be. */
export function copiable({ notCopied }: { readonly notCopied: readonly string[] }): readonly string[] {
  return notCopied.filter((text) => !text.startsWith('BPF programs'));
}
