import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit, PacketFilter } from '../model/facts/packet-filter.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { LabNames, LabStep } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw } from './shared-example-handshakes.ts';
import { countedHit, DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { type HitKind, hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { incomingAnswerRemedies } from './shared-filter-remedies.ts';
import { afterSynAck, sighted } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { tracedSyn } from './shared-silence.ts';

const ENDS: readonly HitKind[] = ['drop', 'reject', 'rate-limit', 'connection-limit', 'ct-invalid', 'queue'];

export const cause: Cause = defineCause({
  id: 'client-input-drop',
  title: "The client's own packet filter drops the SYN-ACK",
  place: 'client',
  step: 'client-filter-in',
  sides: ['client'],
  needs: ['attempt', 'packetFilter'],
  wants: ['nfQueues', 'kernelTrace', 'counters'],
  assess({ attempt, packetFilter, nfQueues, kernelTrace }) {
    const { connect, captured } = attempt;
    if (attempt.side !== 'client' || connect === undefined) return [];
    if (connect.errno === undefined) return [contradicts('conclusive', 'attempt', 'connect() succeeded')];
    const answers = answersSeen(attempt);
    if (captured && answers === 0) {
      return [contradicts('conclusive', 'attempt', 'no SYN-ACK came to this host')];
    }
    const { acks } = afterSynAck(attempt);
    const resets = sighted(attempt, 'rst', 'out');
    if (acks > 0 || resets > 0) {
      const what = acks > 0 ? 'acknowledged' : 'reset';
      return [contradicts('conclusive', 'attempt', `TCP of this host ${what} the SYN-ACK, so it got it`)];
    }
    const expected = Math.max(1, answers);
    const { found, evidence } = judgeFilter(packetFilter, attempt, 'syn-ack-in', expected, ENDS, nfQueues);
    const all: CauseEvidence[] = captured ? [...evidence] : evidence.map(atMostStrong);
    all.push(...tracedSyn(kernelTrace, { reasons: /^NETFILTER_DROP$/, weight: 'strong' }, 'syn-ack'));
    if (captured && (found !== undefined || !packetFilter.passes.includes('syn-ack-in'))) {
      const came = `${formatQuantity(answers, 'SYN-ACK')} came to this host and had no effect`;
      all.push(supports('strong', 'attempt', came));
    }
    return all;
  },
  sentence({ attempt, packetFilter }) {
    const hit = ruleFor(attempt, packetFilter);
    const from = `the SYN-ACK of ${formatEndpoint(attempt.server)}`;
    if (hit === undefined) return `${from.replace('the', 'The')} came to this host, which dropped it before TCP saw it`;
    if (hit.policy) return `This host's packet filter drops ${from}: no rule accepts it, and ${hitName(hit)} is drop`;
    return `This host's packet filter drops ${from}: ${hitName(hit)} says "${hitText(hit)}"`;
  },
  remedies({ attempt, packetFilter }) {
    const hit = ruleFor(attempt, packetFilter);
    return hit === undefined ? [] : incomingAnswerRemedies(hit);
  },
  explanation: `
The SYN left, the server answered, and the client's own rules drop the SYN-ACK on its way in: there is no rule for established connections, \`notrack\` hides the connection from
the one that there is, or connection tracking calls the SYN-ACK invalid. The socket stays in SYN-SENT, the SYN is repeated, and \`connect()\` ends with ETIMEDOUT. The
server sees its SYN-ACK unanswered and repeats it.

Be sure: a capture on the client shows the SYN-ACK come in (captures are taken before netfilter), no ACK and no RST leaves, and the rules, evaluated for exactly that packet,
end in a drop whose counter moves.

Linux 6.18: \`nft_do_chain()\` or \`nf_hook_slow()\` (iptables-legacy) free it with NETFILTER_DROP.
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'there no SYN-ACK comes to the client' },
    { id: 'client-rp-filter', toldApartBy: 'there IPReversePathFilter of the client moves' },
    { id: 'synack-bad-ack', toldApartBy: 'there the client answers the SYN-ACK with RST' },
    { id: 'client-output-drop', toldApartBy: 'there no SYN leaves' },
  ],
  scenario: {
    requires: ['nft, and iptables for some variants'],
    variants: ['no-counter', 'notrack', 'policy-drop', 'prerouting', 'iptables'],
    plan: (names, variant) => ({
      steps: dropping(names, variant),
      expect: { server: ['return-path-lost', 'final-ack-lost', 'client-input-drop'] },
    }),
  },
  examples: [
    {
      name: 'the SYN-ACK came twice, and a rule took both',
      given: {
        attempt: clientSaw(
          'half-open',
          { errno: 'ETIMEDOUT', elapsedMs: 3000 },
          '>syn',
          '<syn-ack',
          '>syn',
          '<syn-ack',
        ),
        packetFilter: filterWith(
          countedHit(2, { packet: 'syn-ack-in', text: 'tcp sport 443 counter packets 2 bytes 120 drop' }),
        ),
      },
      expect: 'confirmed',
    },
    {
      name: 'no SYN-ACK came',
      given: {
        attempt: clientSaw('no-reply', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '>syn'),
        packetFilter: filterWith({ ...DROP_HIT, packet: 'syn-ack-in' }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'TCP answered the SYN-ACK with RST',
      given: {
        attempt: clientSaw('abandoned', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '<wrong-syn-ack', '>rst'),
        packetFilter: filterWith({ ...DROP_HIT, packet: 'syn-ack-in' }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the rules let it pass',
      given: {
        attempt: clientSaw('half-open', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '<syn-ack', '>syn'),
        packetFilter: PASSING_FILTER,
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://wiki.nftables.org/wiki-nftables/index.php/Matching_connection_tracking_stateful_metainformation',
    'net/netfilter/nf_tables_core.c: nft_do_chain()',
  ],
});

function answersSeen(attempt: Attempt): number {
  return Math.max(attempt.synAcks, sighted(attempt, 'syn-ack', 'in'));
}

function atMostStrong(evidence: CauseEvidence): CauseEvidence {
  return evidence.bearing === 'supports' && evidence.weight === 'conclusive'
    ? { ...evidence, weight: 'strong' }
    : evidence;
}

function ruleFor(attempt: Attempt, filter: PacketFilter): FilterHit | undefined {
  const { standing } = weighHits(filter, attempt, 'syn-ack-in', Math.max(1, answersSeen(attempt)));
  return standing.find(({ kind }) => ENDS.includes(kind))?.hit;
}

function dropping({ port, iptables, family, server, nftFamily }: LabNames, variant: string | undefined): LabStep[] {
  const nft = (text: string): LabStep[] => [{ on: 'client', nft: text }];
  switch (variant) {
    case 'no-counter':
      return nft(nftChain({ hook: 'input' }, `${nftFamily} saddr ${server} tcp sport ${port} drop`));
    case 'notrack':
      return [
        ...nft(nftChain({ table: 'raw', hook: 'prerouting', priority: -300 }, 'meta l4proto tcp notrack')),
        ...nft(
          nftChain(
            { hook: 'input', policy: 'drop' },
            'meta l4proto ipv6-icmp accept',
            'ct state established,related accept',
          ),
        ),
      ];
    case 'policy-drop':
      return nft(nftChain({ hook: 'input', policy: 'drop' }, 'meta l4proto ipv6-icmp accept', 'iifname "lo" accept'));
    case 'prerouting':
      return nft(nftChain({ hook: 'prerouting', priority: -150 }, `tcp sport ${port} counter drop`));
    case 'iptables':
      return [
        ...(family === 6
          ? [{ on: 'client' as const, run: [iptables, '-A', 'INPUT', '-p', 'ipv6-icmp', '-j', 'ACCEPT'] }]
          : []),
        { on: 'client', run: [iptables, '-A', 'INPUT', '-p', 'tcp', '--sport', String(port), '-j', 'DROP'] },
      ];
    default:
      return nft(nftChain({ hook: 'input' }, `tcp sport ${port} counter drop`));
  }
}
