import { type Host, HostError } from '../../host/host.ts';
import type { ProxySetting } from '../../model/facts/client.ts';

/** Proxy variables that a program on that host would find for a target (curl(1), ENVIRONMENT). */
export async function readProxies(
  host: Host,
  { scheme, name, port }: { readonly scheme: string | undefined; readonly name: string; readonly port: number },
): Promise<readonly ProxySetting[]> {
  const environment = await readEnvironment(host);
  const exempt = isExempt(environment.get('no_proxy') ?? environment.get('NO_PROXY') ?? '', name, port);
  const wanted = scheme === undefined ? ['all_proxy'] : [`${scheme}_proxy`, 'all_proxy'];
  return wanted.flatMap((variable) => {
    for (const spelling of [variable, variable.toUpperCase()]) {
      // CGI programs could be tricked into HTTP_PROXY by a request header; programs ignore that spelling.
      if (spelling === 'HTTP_PROXY') continue;
      const value = environment.get(spelling);
      const proxy = value === undefined ? undefined : parseProxy(spelling, value, exempt);
      if (proxy !== undefined) return [proxy];
    }
    return [];
  });
}

async function readEnvironment(host: Host): Promise<Map<string, string | undefined>> {
  if (host.environment !== undefined) return new Map(Object.entries(host.environment));
  try {
    const { stdout } = await host.run(['sh', '-c', 'env | grep -i "^[a-z]*_proxy="']);
    return new Map(
      stdout.split('\n').flatMap((line) => {
        const at = line.indexOf('=');
        return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
      }),
    );
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return new Map();
  }
}

function parseProxy(variable: string, value: string, exempt: boolean): ProxySetting | undefined {
  try {
    const url = new URL(value.includes('://') ? value : `http://${value}`);
    const defaultPort = url.protocol === 'https:' ? 443 : url.protocol.startsWith('socks') ? 1080 : 80;
    const port = url.port === '' ? defaultPort : Number(url.port);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return host === '' ? undefined : { variable, url: `${url.protocol}//${url.host}`, host, port, exempt };
  } catch {
    return undefined;
  }
}

/** Whether `no_proxy` lets a target go directly: `*`, the name, a domain that it ends in, with or without a port. */
export function isExempt(noProxy: string, name: string, port: number): boolean {
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    const [, bracketed, plain = '', only] =
      /^(?:\[([^\]]+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const suffix = (bracketed ?? plain).replace(/^\*?\./, '');
    if (suffix === '' || (only !== undefined && Number(only) !== port)) return false;
    const target = name.toLowerCase();
    return target === suffix || target.endsWith(`.${suffix}`);
  });
}
