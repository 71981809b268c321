import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt, Surroundings } from '../model/facts/attempt.ts';
import type { FilteredPacket, PacketFilter } from '../model/facts/packet-filter.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw, HALF_OPEN, serverSaw, waiting } from './shared-example-handshakes.ts';
import { countedHit, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';
import { type HitKind, hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { withoutRule } from './shared-filter-remedies.ts';
import { afterSynAck, answeredHere, serverMissesAck } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, hasClient } from './shared-silence.ts';

const ENDS: readonly HitKind[] = ['drop', 'reject', 'rate-limit', 'connection-limit', 'ct-invalid'];
/** A client repeats a SYN that was not answered after one second, the server its SYN-ACK as well: only then the silence of the client speaks. */
const BOTH_REPEAT_MS = 2500;

export const cause: Cause = defineCause({
  id: 'final-ack-lost',
  title: "The client's final ACK is lost, so the server never completes the handshake",
  place: 'path',
  step: 'final-ack',
  sides: ['server', 'client'],
  needs: ['attempt'],
  wants: ['packetFilter', 'sockets', 'surroundings', 'counters'],
  assess(facts) {
    const { attempt, packetFilter, counters } = facts;
    if (attempt.side === 'client') return fromClient(attempt, packetFilter);
    if (!attempt.observed) return supposed(attempt, packetFilter);
    if (!answeredHere(attempt)) return [];
    const { acks, synsAfterSynAck } = afterSynAck(attempt);
    if (acks > 0) return arrived(attempt, packetFilter, acks);
    if (attempt.synAcks < 2) return [];
    if (
      watched(attempt, counters) &&
      grown(counters, 'TcpExtSyncookiesSent') > 0 &&
      facts.sockets?.exact === undefined
    ) {
      return [contradicts('moderate', 'counters', 'the server answers with SYN cookies, which are never repeated')];
    }
    return silent(facts, synsAfterSynAck);
  },
  sentence({ attempt, packetFilter }) {
    const rule = ruleFor(attempt, packetFilter);
    const client = clientName(attempt);
    if (rule !== undefined) {
      const whose = attempt.side === 'client' ? "The client's" : "The server's";
      return `${whose} own packet filter drops the final ACK of ${client}: ${hitName(rule)} says "${hitText(rule)}"`;
    }
    if (attempt.side === 'client') {
      return `${formatEndpoint(attempt.server)} goes on repeating its SYN-ACK: the final ACK is lost on the way, or the server ignores it`;
    }
    return `The final ACK of ${client} does not reach the server: it repeats its SYN-ACK (${formatQuantity(attempt.synAcks, 'time')}) and the connection stays half-open`;
  },
  remedies({ attempt, packetFilter }) {
    const rule = ruleFor(attempt, packetFilter);
    if (rule !== undefined) return withoutRule(rule);
    return [
      {
        id: 'find-the-filter',
        title: 'Find what drops plain ACKs between client and server',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Capture on both sides and compare ("synscope compare"): a stateful firewall that saw only one direction drops the ACK as invalid',
          },
        ],
      },
    ];
  },
  explanation: `
The server has sent its SYN-ACK, the client has received it and acknowledges it, and that ACK does not arrive. For the client the connection is established: \`connect()\`
succeeded. The server keeps a half-open connection (SYN-RECV), repeats its SYN-ACK after 1, 3, 7, 15, 31 s (\`tcp_synack_retries\`), and gives up. Data of the client may complete the
handshake, when they get through; a protocol in which the server speaks first just hangs.

A firewall with asymmetric state drops the ACK, or one that knows "new" connections only. The rule may be on the client (output) or on the server (input): captures
there show the ACK.

Be sure: a capture on the client shows the ACK leaving and one on the server shows that it does not arrive. On the server the tuple is in SYN-RECV (\`ss -tan\`) while
the client says ESTAB. The client answers each repeated SYN-ACK with a challenge ACK (\`TCPChallengeACK\`, \`TCPSYNChallenge\`).

Linux 6.18: \`inet_csk_reqsk_queue\` timer \`reqsk_timer_handler()\`; client: \`tcp_validate_incoming()\` (RFC 5961).
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'there the client repeats its SYN: it never got the SYN-ACK' },
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there the ACK arrives at the server, and ListenOverflows moves' },
    { id: 'defer-accept', toldApartBy: 'there the ACK arrives and TCPDeferAcceptDrop moves' },
    { id: 'syncookie-ack-lost', toldApartBy: 'with SYN cookies the server forgets the SYN and repeats nothing' },
  ],
  scenario: {
    requires: ['nft'],
    variants: ['server-filter'],
    plan: ({ port }, variant) => {
      const ack = `tcp dport ${port} tcp flags & (syn|ack) == ack counter drop`;
      const inside = variant === 'server-filter';
      return {
        listener: { then: 'greet' },
        steps: [
          inside
            ? { on: 'server', nft: nftChain({ hook: 'input' }, ack) }
            : { on: 'router', nft: nftChain({ hook: 'forward' }, ack) },
        ],
        attempt: { readMs: 4000 },
        expect: {
          server: inside ? ['final-ack-lost'] : ['final-ack-lost', 'return-path-lost'],
          // From the client it cannot be told from an accept queue that is full: none may stand out.
          client: null,
        },
      };
    },
  },
  examples: [
    {
      name: "the ACK arrives, and the server's own filter drops it",
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        packetFilter: filterWith(countedHit(1, { packet: 'ack-in' })),
        sockets: waiting(0, 511),
      },
      expect: 'confirmed',
    },
    {
      name: 'no ACK, and the client does not repeat its SYN',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '<syn-ack', '<syn-ack'),
        packetFilter: PASSING_FILTER,
        sockets: { ...waiting(0, 511), exact: HALF_OPEN },
      },
      expect: 'likely',
    },
    {
      name: 'the client repeats its SYN: it is the SYN-ACK that is lost',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '<syn-ack', '>syn', '<syn-ack'),
        packetFilter: PASSING_FILTER,
        sockets: waiting(0, 511),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the ACK arrives and no rule drops it: the server ignores it',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        packetFilter: PASSING_FILTER,
        sockets: waiting(512, 511),
      },
      expect: 'ruled-out',
    },
    {
      name: 'from the client: connected, and the SYN-ACK is repeated',
      given: {
        attempt: clientSaw('half-open', { elapsedMs: 3, afterwards: 'silent' }, '>syn', '<syn-ack', '>ack', '<syn-ack'),
      },
      expect: 'likely',
    },
    {
      name: 'from the client: connected, and its ACK never left, as its own rule drops it',
      given: {
        attempt: clientSaw('half-open', { elapsedMs: 3, afterwards: 'silent' }, '>syn', '<syn-ack', '<syn-ack'),
        packetFilter: filterWith(countedHit(2, { packet: 'ack-out', chain: 'output', hook: 'output' })),
      },
      expect: 'confirmed',
    },
    {
      name: 'nothing was answered yet',
      given: { attempt: EXAMPLE_ATTEMPT_V4 },
      expect: 'not-indicated',
    },
  ],
  references: ['RFC 9293 section 3.5', 'RFC 5961 section 4', 'net/ipv4/inet_connection_sock.c: reqsk_timer_handler()'],
});

/** The server repeats its SYN-ACK and no ACK has come. */
function silent(
  {
    attempt,
    sockets,
    surroundings,
  }: {
    readonly attempt: Attempt;
    readonly sockets: SocketTable | undefined;
    readonly surroundings: Surroundings | undefined;
  },
  synsAfter: number,
): CauseEvidence[] {
  if (synsAfter > 0) {
    return [
      contradicts(
        'strong',
        'attempt',
        'the client repeats its SYN behind the SYN-ACK: it is the SYN-ACK that it never got',
      ),
    ];
  }
  const evidence: CauseEvidence[] = [
    supports('moderate', 'attempt', `the SYN-ACK was sent ${attempt.synAcks} times, and no ACK came back`),
  ];
  if (attempt.lastedMs >= BOTH_REPEAT_MS) {
    evidence.push(
      supports(
        'moderate',
        'attempt',
        'the client did not repeat its SYN meanwhile, as one would that has not got the SYN-ACK',
      ),
    );
  }
  if (sockets?.exact?.state === 'SYN-RECV') {
    evidence.push(supports('weak', 'sockets', 'the connection is half-open here (SYN-RECV)'));
  }
  if ((surroundings?.floodSources ?? 0) > 0) {
    evidence.push(
      contradicts(
        'strong',
        'surroundings',
        `${surroundings?.floodSources} sources leave half-open connections: a flood of forged SYNs looks the same`,
      ),
    );
  }
  return evidence;
}

/** The ACK was at this host: only its own rules can have lost it. */
function arrived(attempt: Attempt, filter: PacketFilter | undefined, acks: number): CauseEvidence[] {
  const came = `${formatQuantity(acks, 'ACK')} of the client arrived at this host`;
  if (filter === undefined) return [contradicts('strong', 'attempt', came)];
  const { found, evidence } = judgeFilter(filter, attempt, 'ack-in', 1, ENDS);
  return found === undefined ? [...evidence, contradicts('strong', 'attempt', came)] : [...evidence];
}

function supposed(attempt: Attempt, filter: PacketFilter | undefined): CauseEvidence[] {
  if (filter === undefined || !hasClient(attempt)) return [];
  // A rule that ends the SYN keeps the ACK from ever being sent.
  if (weighHits(filter, attempt, 'syn-in', 1).standing.some(({ kind }) => ENDS.includes(kind))) return [];
  const { found, evidence } = judgeFilter(filter, attempt, 'ack-in', 1, ENDS);
  return found === undefined ? [] : [...evidence];
}

function fromClient(attempt: Attempt, filter: PacketFilter | undefined): CauseEvidence[] {
  const { connect } = attempt;
  if (connect === undefined || connect.errno !== undefined || attempt.synAcks === 0) return [];
  const { acks, synAcksAfterAck } = afterSynAck(attempt);
  const evidence: CauseEvidence[] = [];
  if (serverMissesAck(attempt)) {
    evidence.push(
      supports(
        'strong',
        'attempt',
        `connect() succeeded, and the server repeated its SYN-ACK ${formatQuantity(synAcksAfterAck, 'time')} behind our ACK`,
      ),
    );
  }
  if (attempt.captured && acks === 0 && attempt.synAcks > 1) {
    // A capture is taken behind the rules for packets that leave.
    const statement = `connect() succeeded, so TCP sent an ACK, and none left this host; ${attempt.synAcks} SYN-ACKs came`;
    evidence.push(supports('strong', 'attempt', statement));
  }
  const rule = filter === undefined ? undefined : judgeFilter(filter, attempt, 'ack-out', 1, ENDS);
  if (rule?.found !== undefined) evidence.push(...rule.evidence);
  return evidence;
}

function ruleFor(attempt: Attempt, filter: PacketFilter | undefined): Parameters<typeof hitName>[0] | undefined {
  const packet: FilteredPacket = attempt.side === 'client' ? 'ack-out' : 'ack-in';
  if (filter === undefined) return undefined;
  return weighHits(filter, attempt, packet, 1).standing.find(({ kind }) => ENDS.includes(kind))?.hit;
}
