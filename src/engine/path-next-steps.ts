import type { NextStep } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { PathStory } from './path-story.ts';
import type { PathFinding } from './path-words.ts';

/** What to do next, most telling first. */
export function pathNextSteps(story: PathStory, { location, between }: PathFinding): NextStep[] {
  const { near, last } = story;
  const seen = (last.sighting ?? near.sighting).handshake;
  const wanted = near.sighting.handshake;
  const port = String(seen.server.port);
  const target = formatEndpoint(wanted.server);
  const trace: NextStep = {
    statement: 'On the client: find how far TCP packets to this port get.',
    command: ['sudo', 'mtr', '-T', '-P', String(wanted.server.port), wanted.server.address],
  };
  const listen: NextStep = {
    statement: 'On the server: see at the next SYN what drops it.',
    command: ['sudo', 'synscope', 'listen', port],
  };
  const ask: NextStep = {
    statement: 'On the server: ask without any traffic whether a SYN from this client would be answered.',
    command: ['sudo', 'synscope', 'listen', port, '--from', seen.client.address],
  };
  switch (location) {
    case 'lost-before-server':
      return [
        {
          statement: `Look at filters, security groups and routes between ${(between ?? ['the two points'])[0]} and ${between?.[1] ?? 'the server'} for ${seen.client.address} to ${target}.`,
        },
        trace,
        inBetween(story, between),
      ];
    case 'server-silent':
      return last.acks.length > 0 ? [listen, queue(port)] : [listen, ask];
    case 'answer-lost':
      return [
        {
          statement: 'On the server: see which way answers to this client take.',
          command: ['ip', 'route', 'get', seen.client.address, 'from', seen.server.address],
        },
        { statement: 'Look for a stateful firewall that sees only one of the two directions.' },
        inBetween(story, between),
      ];
    case 'final-ack-lost':
      return [
        { statement: 'Look for a stateful firewall or translator in between that dropped its state.' },
        inBetween(story, between),
        {
          statement: 'On the server: see the half-open connections.',
          command: ['ss', '-tn', 'state', 'syn-recv', `sport = :${port}`],
        },
      ];
    case 'refused-by-server':
      return [
        {
          statement: 'On the server: is anything listening on that port and address?',
          command: ['sudo', 'ss', '-tlnp', `sport = :${port}`],
        },
        ask,
      ];
    case 'refused-by-middlebox':
      return [
        { statement: `Look for a firewall, proxy or intrusion prevention in between that refuses ${target}.` },
        trace,
        inBetween(story, between),
      ];
    case 'icmp-from-router':
      return [
        {
          statement: `Ask whoever runs ${icmpSender(story)} for its filters and its route to ${wanted.server.address}.`,
        },
        trace,
      ];
    case 'icmp-from-server':
      return [
        { statement: 'On the server: look for the rule that rejects it.', command: ['sudo', 'nft', 'list', 'ruleset'] },
        ask,
      ];
    case 'client-rejected-answer':
      return [
        {
          statement: 'On the client: see what it does with the answer.',
          command: ['sudo', 'synscope', 'connect', target],
        },
        {
          statement: 'On the client: look for wrong checksums and reverse-path drops.',
          command: ['nstat', '-az', 'TcpInCsumErrors', 'TcpExtIPReversePathFilter', 'TcpExtTCPACKSkippedSynRecv'],
        },
      ];
    case 'late':
      return [trace, inBetween(story, between)];
    case 'unmatched':
      return [
        {
          statement: 'Capture on both ends at once, without a filter for addresses.',
          command: [
            'sudo',
            'tcpdump',
            '-i',
            'any',
            '-s',
            '160',
            '-w',
            'server.pcap',
            `tcp port ${port} or icmp or icmp6`,
          ],
        },
        {
          statement: 'Or let synscope capture on both ends, connect and compare.',
          command: ['sudo', 'synscope', 'trace', target, '--server', `ssh:${wanted.server.address}`],
        },
      ];
    default:
      return [];
  }
}

function queue(port: string): NextStep {
  return {
    statement: 'On the server: is the accept queue full (Recv-Q at Send-Q)?',
    command: ['ss', '-tln', `sport = :${port}`],
  };
}

function inBetween({ points }: PathStory, between: readonly [string, string] | undefined): NextStep {
  const [from, to] = between ?? [points[0]!.name, points.at(-1)!.name];
  const paths = points.map(({ path }) => path);
  const at = Math.max(
    1,
    points.findIndex(({ name }) => name === to),
  );
  return {
    statement: `Capture at a point between ${from} and ${to}, and compare again.`,
    command: ['synscope', 'compare', ...paths.slice(0, at), 'between.pcap', ...paths.slice(at)],
  };
}

function icmpSender({ near, points }: PathStory): string {
  const all = [...near.icmps, ...points.flatMap(({ icmps }) => icmps)];
  return all[0]?.segment.icmp?.from ?? 'the router';
}
