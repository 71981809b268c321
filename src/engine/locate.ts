import type { Place as CausePlace } from '../model/cause.ts';
import type { DiagnosisPlace } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { JudgedCause } from './judge-causes.ts';

/** Where the fault lies, as far as one host can tell. */
export interface Located {
  readonly place: DiagnosisPlace;
  /** One sentence for the case that no cause stands out; empty when nothing is wrong. */
  readonly sentence: string;
}

/** Tells in which part of the way the attempt died: by the cause that stands out, else by what came back. */
export function locate(attempt: Attempt, standing: readonly JudgedCause[]): Located {
  const [first] = standing;
  if (first !== undefined && first.status !== 'possible') {
    const alike = first.status === 'confirmed' ? [first] : standing.filter(({ status }) => status === first.status);
    const [{ cause }] = alike as [JudgedCause];
    if (alike.length === 1 && attempt.side === 'client' && cause.placeFromClient !== undefined) {
      return { place: cause.placeFromClient, sentence: '' };
    }
    return { place: placeOf(alike.map((one) => one.cause.place)), sentence: '' };
  }
  return attempt.side === 'client' ? fromClient(attempt) : fromServer(attempt);
}

/** The parts of the way in which any of several causes lies, where such a stretch has a name. */
function placeOf(places: readonly CausePlace[]): DiagnosisPlace {
  const [client, path, server] = (['client', 'path', 'server'] as const).map((part) => places.includes(part));
  if (client && server) return 'unknown';
  if (path) return client ? 'client-or-path' : server ? 'path-or-server' : 'path';
  return client ? 'client' : 'server';
}

/** What a client can tell by itself: an errno, packets out, packets in. */
function fromClient(attempt: Attempt): Located {
  const { server, connect, handshake, synAcks, syns, captured } = attempt;
  const to = formatEndpoint(server);
  if (connect === undefined || connect.errno === undefined) {
    return connect?.afterwards === 'reset'
      ? { place: 'server', sentence: `${to} accepted the connection and reset it at once.` }
      : { place: 'none', sentence: '' };
  }
  const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'client');
  if (icmp !== undefined) {
    const own = icmp.from === attempt.client.address;
    if (own) return { place: 'client', sentence: `This host itself reports ICMP "${icmp.name}" for ${to}.` };
    return icmp.from === server.address
      ? { place: 'server', sentence: `${to} answered with ICMP "${icmp.name}".` }
      : { place: 'path', sentence: `The router ${icmp.from} answered the SYN to ${to} with ICMP "${icmp.name}".` };
  }
  if (handshake?.outcome === 'refused') {
    const what = synAcks > 0 ? 'answered, and then reset the connection' : 'refused the connection with a RST';
    return { place: 'server', sentence: `${to} ${what}.` };
  }
  if (synAcks > 0) {
    return { place: 'client', sentence: `${to} answered, and this host did not take the answer.` };
  }
  if (captured && syns === 0) return { place: 'client', sentence: `No SYN to ${to} left this host.` };
  if (syns > 0) {
    return {
      place: 'path-or-server',
      sentence: `The SYN to ${to} left this host and nothing came back: it was lost on the way, or the server did not answer.`,
    };
  }
  return {
    place: 'unknown',
    sentence: `${to} could not be reached (${connect.errno}), and no packets could be captured.`,
  };
}

function fromServer(attempt: Attempt): Located {
  const { client, server, syns, synAcks, observed, captured } = attempt;
  if (!observed) return { place: 'none', sentence: '' };
  if (captured && syns === 0) {
    return { place: 'client-or-path', sentence: `No SYN for port ${server.port} reached this host.` };
  }
  if (synAcks > 0) {
    return {
      place: 'client-or-path',
      sentence: `${formatEndpoint(server)} answered ${client.address}, and no acknowledgement came back: the answer was lost on its way, or the client did not take it.`,
    };
  }
  return { place: 'server', sentence: '' };
}
