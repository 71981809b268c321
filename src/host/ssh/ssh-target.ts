import { parseAddress } from '../../formats/wire/address.ts';
import { InputError } from '../../model/errors.ts';

/** What `--on ssh:` names. */
export interface SshTarget {
  /** A name (also one of ~/.ssh/config) or an address without brackets. */
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

/**
 * Parses `[user@]host[:port]`; an IPv6 address with a port stands in brackets.
 * @throws InputError when it is none.
 */
export function parseSshTarget(text: string): SshTarget {
  const [, user, rest = ''] = /^(?:([^@]*)@)?(.*)$/s.exec(text) ?? [];
  const [, v6, name, digits] =
    parseAddress(rest.replace(/%.*$/, '')) !== undefined
      ? ['', undefined, rest, undefined]
      : (/^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(rest) ?? []);
  const host = v6 ?? name;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || !isWord(host) || (user !== undefined && !isWord(user))) throw notATarget(text);
  if (v6 !== undefined && parseAddress(v6.replace(/%.*$/, '')) === undefined) throw notATarget(text);
  if (port !== undefined && (port < 1 || port > 65535)) throw notATarget(text);
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

/** A word that ssh cannot take for an option, and that names something. */
function isWord(text: string): boolean {
  return /^[\w.%:][\w.%:+-]*$/.test(text);
}

function notATarget(text: string): InputError {
  return new InputError({
    code: 'bad-host',
    message: `ssh: takes [user@]host[:port], and "${text}" is none.`,
    hint: 'An IPv6 address with a port stands in brackets: ssh:[2001:db8::1]:22',
  });
}
