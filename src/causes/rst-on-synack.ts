import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import type { Segment } from '../model/handshake.ts';
import { formatQuantity } from '../model/text.ts';
import { serverSaw } from './shared-example-handshakes.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { afterSynAck, answeredHere, sighted } from './shared-final-ack.ts';
import { clientName, stoodStill } from './shared-silence.ts';
import { ownSource } from './shared-source-check.ts';

const OWN: LinkAddress = {
  family: 4,
  address: EXAMPLE_ATTEMPT_V4.client.address,
  prefixLength: 32,
  device: 'lo',
  scope: 'global',
  flags: [],
};

export const cause: Cause = defineCause({
  id: 'rst-on-synack',
  title: 'The client answers the SYN-ACK with RST: it does not want the connection',
  place: 'client',
  step: 'client-tcp-in',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['counters', 'addresses'],
  assess({ attempt, counters, addresses }) {
    if (!answeredHere(attempt)) return [];
    const { acks, clientResets } = afterSynAck(attempt);
    const arrived = sighted(attempt, 'rst', 'in');
    if (clientResets === 0 || arrived === 0) {
      const looped = clientResets > 0 && ownSource(attempt, addresses) !== undefined;
      const what = looped ? 'the RST came from this host itself, over lo' : 'no RST came back for the SYN-ACK';
      return [contradicts('conclusive', 'attempt', what)];
    }
    if (acks > 0 && attempt.handshake?.segments.some(isAck)) {
      return [contradicts('conclusive', 'attempt', 'the client had acknowledged the SYN-ACK before')];
    }
    const evidence: CauseEvidence[] = [];
    const [syn, reset] = [first(attempt, 'syn'), first(attempt, 'rst')];
    const sameWay = syn !== undefined && reset !== undefined && syn.ttl === reset.ttl;
    const otherWay = syn !== undefined && reset !== undefined && syn.ttl !== reset.ttl;
    const embryonic = watched(attempt, counters) ? grown(counters, 'TcpExtEmbryonicRsts') : 0;
    const what = `${formatQuantity(clientResets, 'RST')} answered the SYN-ACK`;
    if (otherWay) {
      // A RST that was made on the way has crossed fewer routers than the client's SYN.
      evidence.push(supports('moderate', 'attempt', what));
      evidence.push(
        contradicts('strong', 'attempt', `the RST has TTL ${reset.ttl} and the SYN ${syn.ttl}: somebody else sent it`),
      );
    } else {
      const like = sameWay ? `, with TTL ${reset.ttl} as the SYN has` : '';
      evidence.push(supports(sameWay && embryonic > 0 ? 'conclusive' : 'strong', 'attempt', `${what}${like}`));
    }
    if (embryonic > 0) {
      evidence.push(supports('strong', 'counters', `EmbryonicRsts +${embryonic}: the half-open connection was reset`));
    } else if (stoodStill(counters, 'TcpExtEmbryonicRsts')) {
      evidence.push(
        contradicts('strong', 'counters', 'EmbryonicRsts +0: the kernel did not take the RST, its numbers do not fit'),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    const { clientResets } = afterSynAck(attempt);
    return `${clientName(attempt)} answers the SYN-ACK with RST (${formatQuantity(clientResets, 'time')}): its socket is gone, or it never wanted a connection`;
  },
  remedies() {
    return [
      {
        id: 'look-at-the-client',
        title: 'Look at the client: the server did its part',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Usual reasons: a connect timeout shorter than the answer takes, a port scan or health check (harmless), NAT that forgot the connection, timestamps changed on the way; "synscope connect" there tells which',
          },
        ],
      },
    ];
  },
  explanation: `
The server answered, and a RST comes back instead of an ACK. The client's kernel has no socket that waits for this SYN-ACK: the application gave up before it came (a short timeout, a late answer), the
SYN was sent by a scanner or with a forged source, NAT between has lost its entry or reused the port, or the client refuses something in the SYN-ACK (timestamp). Port scans and health checks do
it on purpose.

\`EmbryonicRsts\` and \`AttemptFails\` grow by one for each.

Be sure: the RST has the sequence number that the SYN-ACK acknowledged, and the same TTL as the client's SYN. Another TTL means that somebody on the way made it.

Linux 6.18: \`tcp_check_req()\`, label \`embryonic_reset\`; on the client \`tcp_v4_send_reset()\` with NO_SOCKET.
`,
  confusedWith: [
    {
      id: 'own-address-source-ipv6',
      toldApartBy: 'there the RST never leaves lo: the client has an address of the server',
    },
    { id: 'rst-injected', toldApartBy: 'there the TTL of the RST is not that of the SYN' },
    { id: 'application-timeout-too-short', toldApartBy: 'one reason for it, seen on the client' },
    { id: 'synack-bad-timestamp', toldApartBy: 'one reason for it, seen on the client: PAWSActive moves' },
    { id: 'synack-wrong-source', toldApartBy: 'there the client gets the SYN-ACK from another address' },
  ],
  scenario: {
    plan: () => ({
      steps: [],
      // No socket of the client knows of this SYN, so its kernel resets the answer.
      attempt: { on: 'client', send: { flags: 'S' } },
    }),
  },
  examples: [
    {
      name: 'a RST with the TTL of the SYN',
      given: {
        attempt: serverSaw('abandoned', '>syn', '<syn-ack', '>rst'),
        counters: exampleCounters({ TcpExtEmbryonicRsts: 1, TcpAttemptFails: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a RST that was made nearer than the client is',
      given: {
        attempt: madeOnTheWay(serverSaw('abandoned', '>syn', '<syn-ack', '>rst')),
        counters: exampleCounters({ TcpExtEmbryonicRsts: 1 }),
      },
      expect: 'possible',
    },
    {
      name: "the RST of this host itself: the client's address is its own",
      given: {
        attempt: {
          ...serverSaw('abandoned', '>syn', '<syn-ack', '>rst'),
          sightings: [
            { segment: 'syn', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' },
            { segment: 'rst', direction: 'in', device: 'lo', count: 1, linkDestination: 'host' },
          ],
        },
        addresses: [OWN],
        counters: exampleCounters({ TcpExtEmbryonicRsts: 1 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'nothing came back',
      given: { attempt: serverSaw('half-open', '>syn', '<syn-ack', '<syn-ack'), counters: exampleCounters({}) },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 9293 section 3.10.7.4', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});

function isAck({ kind, direction }: Segment): boolean {
  return direction === 'to-server' && (kind === 'ack' || kind === 'data');
}

function first({ handshake }: Attempt, kind: 'syn' | 'rst'): Segment | undefined {
  return handshake?.segments.find((segment) => segment.kind === kind && segment.direction === 'to-server');
}

/** The same attempt, with a RST that has crossed fewer routers than the SYN. */
function madeOnTheWay(attempt: Attempt): Attempt {
  const { handshake } = attempt;
  if (handshake === undefined) return attempt;
  const segments = handshake.segments.map((one) => (one.kind === 'rst' ? { ...one, ttl: 63 } : one));
  return { ...attempt, handshake: { ...handshake, segments } };
}
