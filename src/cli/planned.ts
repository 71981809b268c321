import { parseAddress } from '../formats/wire/address.ts';

/** A command that is to come: where to look until then, and with what. */
interface Planned {
  readonly where: string;
  /** `HOST`, `PORT` and `CLIENT` stand for what the command line says of them. */
  readonly instead: readonly string[];
}

const WATCH: Planned = { where: 'watch one port of one host', instead: ['sudo synscope listen PORT --for 1h --keep'] };

const PLANNED: Readonly<Record<string, Planned>> = {
  fleet: WATCH,
};

/**
 * What to say of a command line that begins with a command of a later version.
 * @returns undefined when there is no such plan.
 */
export function plannedMessage([name = '', ...args]: readonly string[], version: string): string | undefined {
  if (!Object.hasOwn(PLANNED, name)) return undefined;
  const { where, instead } = PLANNED[name] as Planned;
  const known = knownWords(args);
  const commands = instead.map((command) => command.replace(/\b(HOST|PORT|CLIENT)\b/g, (word) => known[word] ?? word));
  return [`"${name}" is not part of version ${version} yet. Until then, ${where}:`, ...commands].join('\n  ');
}

/** What `[host:]port`, a URL and `--from` say; nothing that a shell could take for more than a word. */
function knownWords(args: readonly string[]): Partial<Record<string, string>> {
  const from = args[args.indexOf('--from') + 1] ?? '';
  const [, scheme, v6, name, port] =
    /^(?:(https?):\/\/)?(?:\[([\da-f:.]+)\]|([\w.-]+))?:?(\d+)?(?:\/.*)?$/i.exec(args[0] ?? '') ?? [];
  const isPort = name !== undefined && port === undefined && /^\d+$/.test(name);
  const host = v6 ?? (isPort ? undefined : name);
  const number = isPort ? name : (port ?? (scheme === undefined ? undefined : scheme === 'http' ? '80' : '443'));
  return {
    ...(host === undefined || host.startsWith('-') ? {} : { HOST: host }),
    ...(number === undefined ? {} : { PORT: number }),
    ...(parseAddress(from) === undefined ? {} : { CLIENT: from }),
  };
}
