import type { ConnectTarget } from '../service/diagnose-connect.ts';
import { type Command, UsageError } from './command.ts';
import { ALLOW_CHANGES, HOST_OPTIONS, type HostCommandOptions, parseDuration } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { hostExitCode } from './listen.ts';
import { checkOutputFiles } from './output-files.ts';

interface ConnectCommandOptions extends HostCommandOptions {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly for: number;
  readonly hold: number;
  readonly allowChanges?: boolean;
}

const DEFAULT_FOR_MS = 10_000;
/** A server that resets what it accepted does so at once. */
const DEFAULT_HOLD_MS = 30;

export const command: Command = {
  name: 'connect',
  argument: '<host:port | url>',
  argumentDescription: 'what cannot be reached: name or address with a port, or a URL',
  summary: "why can't I connect? (on the client)",
  examples: [
    ['sudo synscope connect api.example.com:443', 'name, proxy, route, firewall, neighbour, handshake'],
    ['synscope connect https://api.example.com', 'a URL; both address families are tried'],
    ['sudo synscope connect [2001:db8::1]:22 --hold 3s', 'stays connected and watches what the server does'],
    ['synscope connect db1:5432 --on ssh:app3', 'from another machine'],
  ],
  options: [
    { flags: '-4, --ipv4', description: 'only IPv4 addresses' },
    { flags: '-6, --ipv6', description: 'only IPv6 addresses' },
    {
      flags: '--for <time>',
      description: 'give up after so long: 10s unless given',
      parse: (text) => parseDuration('--for', text),
      initial: DEFAULT_FOR_MS,
    },
    {
      flags: '--hold <time>',
      description: 'keep the connection for so long once it is there, and watch: 30ms unless given',
      parse: (text) => parseDuration('--hold', text),
      initial: DEFAULT_HOLD_MS,
    },
    ALLOW_CHANGES,
    ...HOST_OPTIONS,
  ],
  async run([text = '', ...more], given) {
    const options = given as unknown as ConnectCommandOptions;
    if (more.length > 0) throw new UsageError('connect takes one target; start it once for each');
    if (options.ipv4 && options.ipv6) throw new UsageError('-4 and -6 leave no address to try; give one of them');
    const target = parseConnectTarget(text);
    checkOutputFiles(options, []);
    const { runConnect } = await import('./connect-run.ts');
    const report = await runConnect(options, {
      target,
      timeoutMs: options.for,
      holdMs: options.hold,
      signal: interruptSignal(),
      ...(options.allowChanges === undefined ? {} : { allowChanges: options.allowChanges }),
      ...(options.ipv4 ? { family: 4 as const } : options.ipv6 ? { family: 6 as const } : {}),
    });
    return hostExitCode(report);
  },
};

const SCHEME_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21, ssh: 22 };

/** Reads `name:port`, `192.0.2.1:443`, `[2001:db8::1]:443`, or a URL. @throws UsageError */
export function parseConnectTarget(text: string): ConnectTarget {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined) return parseUrl(text, scheme.toLowerCase());
  const [, v6, name, digits] = /^(?:\[([^\]\s]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = v6 ?? name;
  if (host === undefined || host.startsWith('-') || port < 1 || port > 65535) {
    throw new UsageError(
      `connect takes a name or address with a port (api.example.com:443, [2001:db8::1]:443) or a URL, and "${text}" is neither`,
    );
  }
  return { name: host, port };
}

function parseUrl(text: string, scheme: string): ConnectTarget {
  try {
    const url = new URL(text);
    const port = url.port === '' ? SCHEME_PORTS[scheme] : Number(url.port);
    const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (port === undefined || name === '')
      throw new UsageError(`"${text}" names no port; add one, as in ${scheme}://host:8080`);
    return { name, port, scheme: scheme === 'ws' ? 'http' : scheme === 'wss' ? 'https' : scheme };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`"${text}" is no valid URL`, { cause: error });
  }
}
