import { icmpErrorImplication } from '../formats/wire/icmp.ts';
import { hopsAway, type Vantage, vantageOf } from '../handshake/vantage.ts';
import type { Diagnosis, Evidence, NextStep } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Finding, FindingId, Handshake, Segment } from '../model/handshake.ts';
import { formatDuration, formatFrames, formatList, formatQuantity } from '../model/text.ts';
import type { CaptureContext } from './capture-context.ts';
import { acknowledges, findingsOf, repeated } from './capture-findings.ts';

/** Judges one attempt by what a single capture shows of it. */
export function judgeHandshake(bare: Handshake, context: CaptureContext): Diagnosis {
  const handshake = { ...bare, findings: findingsOf(bare, context) };
  const vantage = vantageOf(handshake);
  return {
    handshake,
    sentence: sentenceOf(handshake, vantage),
    cause: null,
    evidence: evidenceOf(handshake, vantage, context),
    ruledOut: [],
    suspects: [],
    undetermined: [],
    remedies: [],
    nextSteps: nextSteps(handshake, vantage, context),
  };
}

/** The finding of that kind, when there is one. */
export function findingOf(handshake: Handshake, id: FindingId): Finding | undefined {
  return handshake.findings.find((finding) => finding.id === id);
}

function sentenceOf(handshake: Handshake, vantage: Vantage): string {
  const server = formatEndpoint(handshake.server);
  const client = handshake.client.address;
  switch (handshake.outcome) {
    case 'no-reply':
      return noReply(handshake, vantage);
    case 'refused':
      return refused(handshake);
    case 'unreachable': {
      const icmp = firstIcmp(handshake);
      if (icmp === undefined) return `${server} is unreachable: an ICMP error answered the SYN of ${client}.`;
      const by = icmp.from === handshake.server.address ? 'itself' : `the router ${icmp.from}`;
      const verb = by === 'itself' ? 'answered' : 'is unreachable:';
      return by === 'itself'
        ? `${server} ${verb} the SYN of ${client} with ICMP "${icmp.name}".`
        : `${server} ${verb} ${by} answered the SYN of ${client} with ICMP "${icmp.name}".`;
    }
    case 'half-open':
      return halfOpen(handshake);
    case 'abandoned':
      return abandoned(handshake);
    case 'one-sided':
      return `Only one direction of the handshake of ${client} with ${server} was captured.`;
    case 'in-progress':
      return `The capture ended before ${server} could be expected to answer ${client}.`;
    case 'established': {
      const late = findingOf(handshake, 'late');
      const reset = findingOf(handshake, 'reset-after-established');
      const came = `${client} connected to ${server}`;
      if (reset !== undefined) return `${came}, but ${reset.statement}.`;
      return late === undefined ? `${came}.` : `${came}, but ${late.statement}.`;
    }
  }
}

function noReply(handshake: Handshake, vantage: Vantage): string {
  const syns = handshake.synRetransmissions + 1;
  const lasted = Number(handshake.endedAtNs - handshake.startedAtNs);
  const server = formatEndpoint(handshake.server);
  const over = lasted === 0 ? '' : ` in ${formatDuration(lasted)}`;
  const place = vantage === 'server' ? ', although the SYNs reached it' : '';
  return `${server} never answered ${formatQuantity(syns, 'SYN')} from ${handshake.client.address}${over}${place}.`;
}

function refused(handshake: Handshake): string {
  const server = formatEndpoint(handshake.server);
  const client = handshake.client.address;
  if (findingOf(handshake, 'reset-by-middlebox') !== undefined) {
    return `Something on the way refused ${client} in the name of ${server}: the RST did not come from the server.`;
  }
  if (handshake.stage === 'ack') {
    return `${server} reset the connection of ${client} right after the client's final ACK.`;
  }
  return handshake.stage === 'syn-ack'
    ? `${server} answered ${client} with a SYN-ACK and then reset the connection.`
    : `${server} refused ${client} with a RST.`;
}

function halfOpen(handshake: Handshake): string {
  const server = formatEndpoint(handshake.server);
  const client = handshake.client.address;
  const times = handshake.synAckRetransmissions + 1;
  const sent = times === 1 ? 'its SYN-ACK' : `its SYN-ACK ${times === 2 ? 'twice' : `${times} times`}`;
  if (handshake.stage === 'ack' && times === 1) {
    return `${server} sent its SYN-ACK and then nothing more, although ${client} acknowledged it and repeats its data: the server ignores them, or its answers are lost.`;
  }
  return handshake.stage === 'ack'
    ? `${server} sent ${sent} although ${client} had acknowledged it: the final ACK was lost or ignored.`
    : `${server} sent ${sent} and ${client} never acknowledged it.`;
}

function abandoned(handshake: Handshake): string {
  const server = formatEndpoint(handshake.server);
  const client = handshake.client.address;
  const challenge = findingOf(handshake, 'challenge-ack');
  const wrong = findingOf(handshake, 'wrong-acknowledgement');
  if (handshake.stage === 'syn-ack') {
    return `${client} reset the connection after the SYN-ACK of ${server}: a scan, a health check, or a client that was gone.`;
  }
  if (challenge !== undefined) return `${server} did not accept the SYN of ${client}: ${challenge.statement}.`;
  if (wrong !== undefined) return `${client} could not use the answer of ${server}: ${wrong.statement}.`;
  return `${client} gave up before ${server} answered.`;
}

function firstIcmp(handshake: Handshake): Segment['icmp'] {
  return handshake.segments.find((segment) => segment.icmp !== undefined && segment.direction === 'to-client')?.icmp;
}

function evidenceOf(handshake: Handshake, vantage: Vantage, context: CaptureContext): Evidence[] {
  const at = (frames: readonly number[]): string =>
    frames.length === 0 ? context.name : `${context.name} ${formatFrames(frames)}`;
  const evidence: Evidence[] = [];
  const add = (statement: string, frames: readonly number[], weight: Evidence['weight'] = 'strong'): void => {
    evidence.push({ statement, bearing: 'supports', weight, source: at(frames) });
  };
  const syns = handshake.segments.filter((segment) => segment.kind === 'syn' && segment.direction === 'to-server');
  const fromServer = handshake.segments.filter((segment) => segment.direction === 'to-client' && !segment.icmp);
  if (handshake.outcome === 'no-reply') {
    const sent = formatList(repeated(handshake));
    add(
      `${sent === '' ? 'one SYN' : sent}, and ${cameBack(handshake.server.address, fromServer)}`,
      syns.map((segment) => segment.frame),
      'conclusive',
    );
  }
  const acknowledged = handshake.segments.find(acknowledges);
  if (handshake.outcome === 'one-sided' && acknowledged !== undefined) {
    add('the client acknowledged a SYN-ACK that is not in the capture', [acknowledged.frame]);
  }
  for (const segment of handshake.segments.filter(({ icmp, repeat }) => icmp !== undefined && repeat === 0)) {
    const { icmp } = segment;
    if (icmp === undefined) continue;
    const meaning = icmpErrorImplication(icmp.version, icmp.type, icmp.code);
    const who = icmp.from === handshake.server.address ? 'the server itself' : icmp.from;
    add(
      `ICMP ${icmp.type}/${icmp.code} "${icmp.name}" from ${who}${meaning === '' ? '' : `: ${meaning}`}`,
      [segment.frame],
      'conclusive',
    );
  }
  for (const { id, statement, frames } of handshake.findings) {
    if (id !== 'late' || handshake.outcome === 'established') add(statement, frames, weightOf(id));
  }
  const place = placeOf(handshake, vantage, syns[0], fromServer[0]);
  if (place !== undefined) add(place, [], 'moderate');
  const { attempts, established } = context.server;
  if (attempts > 1) {
    add(
      established === 0
        ? `none of the ${attempts} attempts to ${formatEndpoint(handshake.server)} in this capture was answered with success`
        : `${established} of ${attempts} attempts to ${formatEndpoint(handshake.server)} in this capture succeeded`,
      [],
      'moderate',
    );
  }
  return evidence;
}

/** What the server sent to a client that it never answered. */
function cameBack(server: string, fromServer: readonly Segment[]): string {
  if (fromServer.length === 0) return `not one packet came back from ${server}`;
  return fromServer.some(({ kind }) => kind === 'rst')
    ? `only a RST came back from ${server} that does not acknowledge the SYN; a client ignores it (RFC 9293 section 3.10.7.3)`
    : `${server} sent a SYN of its own instead of an answer`;
}

function weightOf(id: FindingId): Evidence['weight'] {
  if (id === 'syn-schedule' || id === 'duplicates' || id === 'tunnelled') return 'weak';
  return id === 'reset-origin-unknown' || id === 'fast-open' ? 'moderate' : 'strong';
}

function placeOf(
  handshake: Handshake,
  vantage: Vantage,
  syn: Segment | undefined,
  answer: Segment | undefined,
): string | undefined {
  if (vantage === 'client') return 'captured at the client, or on its own link';
  if (vantage === 'server') return 'captured at the server, or on its own link';
  if (syn === undefined || answer !== undefined) return undefined;
  const hops = hopsAway(syn.ttl);
  if (hops === 0) return `captured before the SYN crossed a router (TTL ${syn.ttl})`;
  return handshake.outcome === 'no-reply'
    ? `captured after the SYN had crossed ${formatQuantity(hops, 'router')} (TTL ${syn.ttl})`
    : undefined;
}

function nextSteps(handshake: Handshake, vantage: Vantage, context: CaptureContext): NextStep[] {
  const { client, server, outcome } = handshake;
  const listen: NextStep = {
    statement: `On ${server.address}: ask the host itself whether and why it would not answer`,
    command: ['sudo', 'synscope', 'listen', String(server.port), '--from', client.address],
  };
  const compare: NextStep = {
    statement: 'With a capture of the same time from the other end: see where it was lost',
    command:
      vantage === 'server'
        ? ['synscope', 'compare', 'client.pcap', context.path ?? context.name]
        : ['synscope', 'compare', context.path ?? context.name, 'server.pcap'],
  };
  const explain: NextStep = { statement: 'What this outcome means', command: ['synscope', 'explain', outcome] };
  switch (outcome) {
    case 'no-reply':
    case 'half-open':
      return vantage === 'server' ? [listen, compare, explain] : [compare, listen, explain];
    case 'refused':
      return findingOf(handshake, 'reset-by-middlebox') === undefined ? [listen, explain] : [compare, explain];
    case 'unreachable':
    case 'abandoned':
      return [listen, explain];
    case 'one-sided':
      return [{ statement: 'Capture both directions: on the host itself, or on both links' }, explain];
    case 'in-progress':
      return [{ statement: 'Capture for longer: a client gives up only after a minute or two' }];
    case 'established':
      return findingOf(handshake, 'late') === undefined ? [] : [compare];
  }
}
