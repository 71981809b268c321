import type { ConnectTarget } from '../service/diagnose-connect.ts';
import { type CommandOption, UsageError } from './command.ts';
import { parseDuration } from './host-options.ts';

/** What the options of the commands that connect were set to. */
export interface ConnectingOptions {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly for: number;
  readonly hold: number;
}

const DEFAULT_FOR_MS = 10_000;

/**
 * Options shared by the commands that connect.
 * @param holdMs how long a connection is kept unless told otherwise.
 */
export function connectingOptions(holdMs: number): readonly CommandOption[] {
  return [
    { flags: '-4, --ipv4', description: 'only IPv4 addresses' },
    { flags: '-6, --ipv6', description: 'only IPv6 addresses' },
    {
      flags: '--for <time>',
      description: 'a connection gives up after so long: 10s unless given',
      parse: (text) => parseDuration('--for', text),
      initial: DEFAULT_FOR_MS,
    },
    {
      flags: '--hold <time>',
      description: `keep a connection for so long once it is there, and watch: ${holdMs}ms unless given`,
      parse: (text) => parseDuration('--hold', text),
      initial: holdMs,
    },
  ];
}

/** The only family that is to be tried. @throws UsageError when both are. */
export function familyOf({ ipv4, ipv6 }: ConnectingOptions): { readonly family?: 4 | 6 } {
  if (ipv4 && ipv6) throw new UsageError('-4 and -6 leave no address to try; give one of them');
  return ipv4 ? { family: 4 } : ipv6 ? { family: 6 } : {};
}

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
