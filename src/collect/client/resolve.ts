import { parseAddress } from '../../formats/wire/address.ts';
import { type Host, HostError } from '../../host/host.ts';
import type { Resolution } from '../../model/facts/client.ts';

/** glibc asks each name server for five seconds, twice (resolv.conf(5)). */
const RESOLVE_TIMEOUT_MS = 35_000;
/** A lookup that took longer than this is worth asking the name servers one by one. */
const SLOW_MS = 1000;
const MAX_ADDRESSES = 32;

/** Resolves a name as programs on that host do: through the name service switch, not by asking DNS alone. */
export async function resolveTarget(host: Host, name: string): Promise<Resolution> {
  const literal = name.split('%')[0] ?? name;
  if (parseAddress(literal) !== undefined) {
    return {
      addresses: [{ address: name, family: literal.includes(':') ? 6 : 4 }],
      elapsedMs: 0,
      servers: [],
      hostsFile: [],
      nameServers: [],
    };
  }
  const startNs = await host.nowNs();
  const { addresses, error } = await lookup(host, name);
  const elapsedMs = Number(((await host.nowNs()) - startNs) / 1_000_000n);
  const [hosts, resolv] = await Promise.all([lines(host, '/etc/hosts'), lines(host, '/etc/resolv.conf')]);
  const nameServers = resolv.filter((line) => /^(nameserver|options|search|domain)\b/.test(line));
  const servers =
    error === undefined && elapsedMs < SLOW_MS ? [] : await askServers(host, name, nameServers.flatMap(serverOf));
  return {
    name,
    addresses,
    ...(error === undefined ? {} : { error: elapsedMs >= 4500 && error === 'ENOTFOUND' ? 'EAI_AGAIN' : error }),
    elapsedMs,
    servers,
    hostsFile: hosts.filter((line) => line.split(/\s+/).slice(1).includes(name)),
    nameServers,
  };
}

async function lookup(host: Host, name: string): Promise<Pick<Resolution, 'addresses' | 'error'>> {
  try {
    const { exitCode, stdout } = await host.run(['getent', 'ahosts', name], { timeoutMs: RESOLVE_TIMEOUT_MS });
    const found = parseAhosts(stdout);
    return exitCode === 0 && found.length > 0 ? { addresses: found } : { addresses: [], error: 'ENOTFOUND' };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { addresses: [], error: error.code === 'timed-out' ? 'EAI_AGAIN' : error.message };
  }
}

/** Reads `getent ahosts`: one line for each address and socket type, in the order of getaddrinfo(). */
export function parseAhosts(text: string): Resolution['addresses'] {
  const found = new Map<string, 4 | 6>();
  for (const line of text.split('\n')) {
    const [address = ''] = line.split(/\s+/);
    if (found.size < MAX_ADDRESSES && parseAddress(address.split('%')[0] ?? '') !== undefined) {
      found.set(address, address.includes(':') ? 6 : 4);
    }
  }
  return [...found].map(([address, family]) => ({ address, family }));
}

function serverOf(line: string): string[] {
  const address = /^nameserver\s+(\S+)/.exec(line)?.[1];
  return address === undefined || parseAddress(address.split('%')[0] ?? '') === undefined ? [] : [address];
}

/** Asks each name server by itself, where `dig` is there to do so. */
async function askServers(host: Host, name: string, servers: readonly string[]): Promise<Resolution['servers']> {
  const answers = await Promise.all(servers.slice(0, 3).map((server) => askServer(host, name, server)));
  return answers.flatMap((answer) => (answer === undefined ? [] : [answer]));
}

async function askServer(host: Host, name: string, server: string): Promise<Resolution['servers'][number] | undefined> {
  try {
    const argv = ['dig', '+time=2', '+tries=1', '+noall', '+comments', '+answer', `@${server}`, '-q', name];
    const startNs = await host.nowNs();
    const { exitCode, stdout } = await host.run(argv, { timeoutMs: 5000 });
    const elapsedMs = Number(((await host.nowNs()) - startNs) / 1_000_000n);
    const status = /status: (\w+)/.exec(stdout)?.[1];
    return {
      address: server,
      elapsedMs,
      result: status ?? (exitCode === 9 ? 'TIMEOUT' : 'ERROR'),
      addresses: [...stdout.matchAll(/\sIN\s+A(?:AAA)?\s+(\S+)/g)]
        .map(([, address = '']) => address)
        .slice(0, MAX_ADDRESSES),
    };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}

async function lines(host: Host, path: string): Promise<string[]> {
  try {
    const text = await host.readFile(path);
    return text
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '');
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return [];
  }
}
