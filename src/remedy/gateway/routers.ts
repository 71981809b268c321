import { HostError } from '../../host/host.ts';
import type { GatewayEvidence } from '../../model/repair.ts';
import { routeWords, wordAfter } from '../kinds/ip-words.ts';
import { tryRun } from '../kinds/kind.ts';
import type { GatewayDevice } from './devices.ts';
import type { GatewayQuestion, GatewaySource } from './source.ts';

/** More routers than this on one link say nothing. */
const MAX_ROUTERS = 4;

/** IPv6 routers on the link: routes that an advertisement left, and whoever answers as a router at this moment. */
export const routers: GatewaySource = async (question) => {
  if (question.family === 4) return [];
  const found: GatewayEvidence[] = [];
  for (const device of question.devices.filter(({ isUp }) => isUp)) {
    found.push(...(await advertised(question, device)));
    found.push(...(await answering(question, device)));
  }
  return found;
};

/** What is left of router advertisements: routes of protocol `ra` through a router. */
async function advertised({ host }: GatewayQuestion, { name }: GatewayDevice): Promise<GatewayEvidence[]> {
  const printed = await tryRun(host, ['ip', '-o', '-6', 'route', 'show', 'table', 'all', 'proto', 'ra', 'dev', name]);
  const [line] = printed.split('\n').filter((one) => / via /.test(one));
  const gateway = line === undefined ? undefined : wordAfter(routeWords(line), 'via');
  if (gateway === undefined) return [];
  const statement = `a route that its router advertisement left goes through it (${routeWords(line ?? '')
    .slice(0, 4)
    .join(' ')})`;
  return [{ gateway, device: name, strength: 'known', statement, source: 'ip -6 route show proto ra' }];
}

/**
 * Asks the group of all routers of the link (ff02::2, RFC 4291 section 2.7.1). An answer comes from a router; the neighbour cache says so as
 * well when one has advertised itself (the flag R, RFC 4861 section 4.4).
 */
async function answering({ host }: GatewayQuestion, { name, prefixes }: GatewayDevice): Promise<GatewayEvidence[]> {
  const own = new Set(prefixes.map(({ address }) => address));
  let answers: string[] = [];
  try {
    const { stdout } = await host.run(['ping', '-6', '-n', '-c', '2', '-i', '0.3', '-w', '2', '-I', name, 'ff02::2'], {
      timeoutMs: 5000,
    });
    answers = [...stdout.matchAll(/ from (fe80:[\da-f:]+)/gi)].map(([, address = '']) => address);
  } catch (error) {
    if (!(error instanceof HostError) || error.code === 'unreachable') throw error;
  }
  const cache = (await tryRun(host, ['ip', '-6', 'neigh', 'show', 'dev', name]))
    .split('\n')
    .map((line) => line.split(' '));
  const flagged = cache
    .filter((words) => words.includes('router') && /^fe80:/i.test(words[0] ?? '') && !words.includes('FAILED'))
    .map(([address = '']) => address);
  const distinct = [...new Set([...answers, ...flagged])].filter((address) => !own.has(address));
  // One router may have several link-local addresses.
  const cards = new Set(
    distinct.map((address) => wordAfter(cache.find((words) => words[0] === address) ?? [], 'lladdr') ?? address),
  );
  return distinct.slice(0, cards.size === 1 ? 1 : MAX_ROUTERS).map((gateway) => {
    const how = answers.includes(gateway) ? 'it answers as a router' : 'the neighbour cache knows it as a router';
    return {
      gateway,
      device: name,
      strength: cards.size === 1 ? 'known' : 'hint',
      statement: `${how} on ${name}, ${cards.size === 1 ? 'and no other does' : `one of ${cards.size}`}`,
      source: answers.includes(gateway) ? `ping ff02::2%${name}` : 'ip -6 neigh',
    };
  });
}
