import { type ConnectOutcome, type ConnectRequest, type Host, HostError } from '../host.ts';

/** Does what `connectTcp` does, with what most machines have; prints one JSON object. Its arguments: address, port, times in ms, TTL. */
const SCRIPT = `
import errno, json, select, socket, sys, time
address, port, timeout, hold, ttl = sys.argv[1], *(int(word) for word in sys.argv[2:6])
family, _, _, _, target = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)[0]
one = socket.socket(family, socket.SOCK_STREAM)
one.setblocking(False)
if ttl:
    v6 = family == socket.AF_INET6
    one.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
start = time.monotonic()
code = one.connect_ex(target)
local = one.getsockname()[:2]
if code == errno.EINPROGRESS:
    ready = select.select([], [one], [], timeout / 1000)[1]
    code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else None
answer = {"elapsedMs": (time.monotonic() - start) * 1000}
if local[1]:
    answer["local"] = {"address": local[0].split("%")[0], "port": local[1]}
if code != 0:
    answer["errno"] = "TIMEDOUT-LOCAL" if code is None else errno.errorcode.get(code, "E%d" % code)
elif hold:
    answer["afterwards"] = "silent"
    if select.select([one], [], [], hold / 1000)[0]:
        try:
            answer["afterwards"] = "data" if one.recv(1, socket.MSG_PEEK) else "closed"
        except OSError:
            answer["afterwards"] = "reset"
print(json.dumps(answer))
`;

/** Time for starting the interpreter and for the way there and back. */
const EXTRA_MS = 10_000;

/**
 * Opens a TCP connection from another machine.
 * @throws HostError where there is no Python 3, or it cannot make a socket.
 */
export async function connectRemotely(host: Host, request: ConnectRequest): Promise<ConnectOutcome> {
  const { address, port, timeoutMs, holdMs = 0, ttl = 0 } = request;
  const words = [address, ...[port, timeoutMs, holdMs, ttl].map((number) => `${Math.round(number)}`)];
  const { exitCode, stdout, stderr } = await host
    .run(['python3', '-c', SCRIPT, ...words], { timeoutMs: timeoutMs + holdMs + EXTRA_MS })
    .catch((error: unknown) => {
      if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
      throw new HostError('not-found', 'connections cannot be opened there without Python 3', {
        cause: error,
        hint: 'run synscope on that machine itself',
      });
    });
  const outcome = exitCode === 0 ? parseOutcome(stdout) : undefined;
  if (outcome !== undefined) return outcome;
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  throw new HostError('failed', `a connection to ${address} port ${port} cannot be opened there: ${reason}`);
}

function parseOutcome(text: string): ConnectOutcome | undefined {
  let value: Partial<Record<keyof ConnectOutcome, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { elapsedMs, local, errno, afterwards } = value;
  if (typeof elapsedMs !== 'number') return undefined;
  const { address, port } = (local ?? {}) as { readonly address?: unknown; readonly port?: unknown };
  return {
    elapsedMs,
    ...(typeof address === 'string' && typeof port === 'number' ? { local: { address, port } } : {}),
    ...(typeof errno === 'string' ? { errno } : {}),
    ...(afterwards === 'silent' || afterwards === 'data' || afterwards === 'closed' || afterwards === 'reset'
      ? { afterwards }
      : {}),
  };
}
