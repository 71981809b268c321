import type { Entry, Question } from './entry.ts';

/** Names that every host has. */
const COMMON = /^(?:localhost|localdomain|localhost\..*|ip6-.*|.*\.arpa)$/i;
/** Files with the name of the host and nothing else. */
const OWN_NAME = /^\/proc\/sys\/kernel\/(?:host|domain)name$|^\/etc\/hostname$/;
const NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i;

/** Programs whose words mean something to them: a host of that name cannot be told from it. */
const SPEAKERS = new Set(['ip', 'ss', 'nft', 'tc', 'sysctl', 'bpftool', 'conntrack', 'find', 'grep', 'cat']);

/** The names of hosts and domains that a recording tells: its own, those of /etc/hosts and resolv.conf, those that were looked up. */
export function hostNames(entries: readonly Entry[]): readonly string[] {
  const names = new Set<string>();
  const reserved = new Set<string>();
  for (const { question, answer } of entries) {
    for (const word of spokenWords(question)) reserved.add(word);
    const text = answer === undefined ? '' : 'text' in answer ? answer.text : 'stdout' in answer ? answer.stdout : '';
    for (const name of namesIn(question, text)) names.add(name.replace(/\.$/, ''));
  }
  return [...names].filter(
    (name) => NAME.test(name) && name.length > 1 && !COMMON.test(name) && !reserved.has(name) && !isNumber(name),
  );
}

/** Makes what replaces names wherever they stand as words of their own. */
export function nameReplacer(names: readonly string[], pseudonym: (name: string) => string): (text: string) => string {
  if (names.length === 0) return (text) => text;
  // Of names that begin alike, the longest is meant.
  const alternatives = [...names].sort((a, b) => b.length - a.length).map((name) => name.replace(/[.]/g, '\\.'));
  const pattern = new RegExp(`(?<![\\w-])(?:${alternatives.join('|')})(?![\\w-])`, 'gi');
  return (text) => text.replace(pattern, pseudonym);
}

/**
 * Replaces the name that a host calls itself where it stands alone: also one that means something else in other places and is left
 * there.
 */
export function replaceOwnName(question: Question, text: string, pseudonym: (name: string) => string): string {
  const replace = (name: string): string => (COMMON.test(name) || !NAME.test(name) ? name : pseudonym(name));
  if ('path' in question) return OWN_NAME.test(question.path) ? text.replace(/\S+/, replace) : text;
  if (!('argv' in question)) return text;
  const line = question.argv.join(' ');
  if (/^(?:hostname(?: -\w)?|uname -n)$/.test(line)) return text.replace(/\S+/g, replace);
  return text.replace(
    /^(\/(?:proc\/sys\/kernel\/(?:host|domain)name|etc\/hostname):)(\S+)$/gm,
    (_, file: string, name: string) => file + replace(name),
  );
}

function namesIn(question: Question, text: string): string[] {
  const path = 'path' in question ? question.path : undefined;
  const [program = '', ...words] = 'argv' in question ? question.argv : [];
  if (path !== undefined && OWN_NAME.test(path)) return [text.trim()];
  if (path === '/etc/hosts') return hostsFile(text);
  if (path === '/etc/resolv.conf') return resolverFile(text);
  switch (program) {
    case 'hostname':
      return text.trim().split(/\s+/);
    case 'uname':
      return words.includes('-n') ? [text.trim()] : [];
    case 'getent':
    case 'dig':
    case 'host':
    case 'nslookup':
    case 'resolvectl':
      return [
        ...words.filter((word) => word.includes('.') && !/^[-+@]/.test(word)),
        ...words.slice(1, 2),
        ...domainsIn(text),
      ];
    case 'grep':
    case 'cat':
      return filesInLines(words, text);
    default:
      return [];
  }
}

/** Lines of `grep -H '' FILES`. */
function filesInLines(words: readonly string[], text: string): string[] {
  const of = (file: string): string => {
    const lines = text.split('\n').filter((line) => line.startsWith(`${file}:`));
    return lines.map((line) => line.slice(file.length + 1)).join('\n');
  };
  return words.flatMap((file) => {
    if (OWN_NAME.test(file)) return [of(file).trim()];
    if (file === '/etc/hosts') return hostsFile(of(file));
    return file === '/etc/resolv.conf' ? resolverFile(of(file)) : [];
  });
}

function hostsFile(text: string): string[] {
  return text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
}

function resolverFile(text: string): string[] {
  return [...text.matchAll(/^\s*(?:search|domain)\s+(.*)$/gm)].flatMap(([, names = '']) => names.trim().split(/\s+/));
}

function domainsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w.-])(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]+(?![\w-])/gi)].map(([name]) => name);
}

/** Words of a question that mean something else than a host. */
function spokenWords(question: Question): string[] {
  if ('path' in question) return question.path.split('/');
  if (!('argv' in question) || !SPEAKERS.has(question.argv[0] ?? '')) return [];
  return question.argv.flatMap((word) => [word, ...word.split('/')]);
}

function isNumber(name: string): boolean {
  return /^[\d.]+$/.test(name);
}
