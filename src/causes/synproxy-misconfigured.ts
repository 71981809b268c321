import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { FilterHit, PacketFilter } from '../model/facts/packet-filter.ts';
import type { LabNames, LabStep } from '../model/scenario.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { hitName, hitText } from './shared-filter.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, resetsSent, synArrived } from './shared-silence.ts';

const LOOSE = 'net.netfilter.nf_conntrack_tcp_loose';
const PROXIED: FilterHit = {
  ...DROP_HIT,
  verdict: 'synproxy',
  certainty: 'depends',
  conditions: ['ct-invalid'],
  text: 'tcp dport 443 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm',
};

export const cause: Cause = defineCause({
  id: 'synproxy-misconfigured',
  title: 'A SYN proxy answers the SYN, and its connection is then reset',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sysctls'],
  assess({ attempt, packetFilter, counters, sysctls }) {
    if (!synArrived(attempt)) return [];
    const hit = proxyRule(packetFilter);
    if (hit === undefined) {
      return packetFilter.unread.length > 0
        ? []
        : [contradicts('conclusive', 'packetFilter', 'no rule hands the SYN to a SYN proxy')];
    }
    const loose = sysctlNumber(sysctls, LOOSE);
    const evidence: CauseEvidence[] = [
      supports('moderate', 'packetFilter', `${hitName(hit)} hands the SYN to a SYN proxy: "${hitText(hit)}"`),
    ];
    if (loose === 0) {
      evidence.push(contradicts('strong', 'sysctls', `${LOOSE} is 0, as a SYN proxy needs it`));
    } else if (loose !== undefined) {
      evidence.push(
        supports(
          'moderate',
          'sysctls',
          `${LOOSE} is ${loose}: the ACK opens an entry of its own and passes the proxy by`,
        ),
      );
    }
    if (!attempt.observed) return evidence;
    const resets = resetsSent(attempt);
    if (attempt.captured && (attempt.synAcks === 0 || resets === 0)) {
      const what = attempt.synAcks === 0 ? 'no SYN-ACK was sent' : 'nothing was reset';
      evidence.push(contradicts('strong', 'attempt', `${what}, so the proxy is not what failed`));
      return evidence;
    }
    if (!watched(attempt, counters)) return evidence;
    const [received, valid] = [grown(counters, 'synproxy.syn_received'), grown(counters, 'synproxy.cookie_valid')];
    const counted = 'synproxy.syn_received' in counters.now;
    if (received > 0 && valid === 0) {
      const statement = `the proxy took the SYN (syn_received +${received}) and never saw a valid ACK (cookie_valid +0), and this host reset the connection`;
      evidence.push(supports(loose === 0 ? 'strong' : 'conclusive', 'counters', statement));
    } else if (counted && received === 0) {
      evidence.push(contradicts('conclusive', 'counters', 'the SYN proxy took no SYN (syn_received +0)'));
    } else if (valid > 0) {
      evidence.push(contradicts('strong', 'counters', `the proxy accepted the ACK (cookie_valid +${valid})`));
    }
    return evidence;
  },
  sentence({ attempt, packetFilter, sysctls }) {
    const hit = proxyRule(packetFilter);
    const loose = sysctlNumber(sysctls, LOOSE);
    const why =
      loose === undefined || loose === 0
        ? 'its ACK does not get back to the proxy'
        : `with ${LOOSE}=${loose} its ACK passes the proxy by`;
    return `A SYN proxy${hit === undefined ? '' : ` (${hitName(hit)})`} answers ${clientName(attempt)}, but ${why}: the listener does not know the connection and resets it`;
  },
  remedies() {
    return [
      {
        id: 'strict-tracking',
        title: 'Let only a SYN open an entry of connection tracking, as a SYN proxy needs it',
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: LOOSE, value: '0' }],
      },
    ];
  },
  explanation: `
A SYN proxy (\`synproxy\` in nftables, \`-j SYNPROXY\` in iptables) answers SYNs with cookies in front of the listener, and opens the real connection only when the
client's ACK comes back. For that the ACK must be *invalid* or *untracked* for connection tracking. With \`nf_conntrack_tcp_loose=1\`, which is the default, connection
tracking takes an ACK out of nowhere for a connection that it has missed; the ACK passes the proxy and reaches a listener that knows nothing of it,
which answers with RST. The client sees SYN, SYN-ACK, ACK, RST; a blocking \`connect()\` may even return ECONNRESET.

The SYN-ACK of the proxy has window 0. A wrong \`mss\`, \`wscale\` or missing \`timestamp\` does not reset connections but makes them slow.

Be sure: in \`/proc/net/stat/synproxy\`, \`syn_received\` grows and \`cookie_valid\` does not, and the sysctl is 1.

Linux 6.18: \`nft_synproxy_do_eval()\`, \`ipv4_synproxy_hook()\`, \`ipv6_synproxy_hook()\`. Even when it is set up well, \`TSEcrRejected\` grows by one for each
connection.
`,
  confusedWith: [
    {
      id: 'syncookies-failed',
      toldApartBy: 'those are cookies of TCP itself: SyncookiesSent moves, and no rule says synproxy',
    },
    { id: 'rst-injected', toldApartBy: 'there the RST does not leave this host' },
    { id: 'listener-closed-during-handshake', toldApartBy: 'there the listener is gone, and no rule says synproxy' },
    { id: 'connected-then-reset', toldApartBy: 'there the listener knows the connection: PassiveOpens moves' },
  ],
  scenario: {
    requires: ['SYNPROXY in nft and iptables'],
    variants: ['iptables'],
    plan: (names, variant) => ({ steps: proxying(names, variant), attempt: { readMs: 1000 } }),
  },
  examples: [
    {
      name: 'the proxy took the SYN, no ACK came back to it, and a RST left',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          synAcks: 1,
          sightings: [
            { segment: 'syn', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' },
            { segment: 'syn-ack', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
            { segment: 'ack', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' },
            { segment: 'rst', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
          ],
        },
        packetFilter: filterWith(PROXIED),
        counters: exampleCounters({ 'synproxy.syn_received': 1, TcpOutRsts: 1 }),
        sysctls: { [LOOSE]: '1' },
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: the proxy and the sysctl do not go together',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, observed: false, captured: false, syns: 0, sightings: [] },
        packetFilter: filterWith(PROXIED),
        sysctls: { [LOOSE]: '1' },
      },
      expect: 'likely',
    },
    {
      name: 'the proxy works, and the SYN died elsewhere',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        packetFilter: filterWith(PROXIED),
        sysctls: { [LOOSE]: '0' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'there is no proxy',
      given: { attempt: EXAMPLE_ATTEMPT_V4, packetFilter: PASSING_FILTER, sysctls: { [LOOSE]: '1' } },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://wiki.nftables.org/wiki-nftables/index.php/Synproxy',
    'net/netfilter/nf_synproxy_core.c: synproxy_recv_client_ack()',
  ],
});

/** The rule that hands a SYN to the proxy; what else a rule set does to it does not matter. */
function proxyRule({ hits, counted }: PacketFilter): FilterHit | undefined {
  return [...hits, ...counted].find(({ packet, verdict }) => packet === 'syn-in' && verdict === 'synproxy');
}

function proxying({ port, iptables }: LabNames, variant: string | undefined): LabStep[] {
  const loose: LabStep = { on: 'server', sysctl: { [LOOSE]: 1 } };
  const match = ['-p', 'tcp', '--dport', String(port)];
  if (variant === 'iptables') {
    return [
      { on: 'server', run: [iptables, '-t', 'raw', '-A', 'PREROUTING', ...match, '--syn', '-j', 'CT', '--notrack'] },
      {
        on: 'server',
        run: [
          ...[iptables, '-A', 'INPUT', ...match, '-m', 'conntrack', '--ctstate', 'INVALID,UNTRACKED'],
          ...['-j', 'SYNPROXY', '--sack-perm', '--timestamp', '--wscale', '7', '--mss', '1460'],
        ],
      },
      loose,
    ];
  }
  return [
    {
      on: 'server',
      nft: nftChain({ table: 'raw', hook: 'prerouting', priority: -300 }, `tcp dport ${port} tcp flags syn notrack`),
    },
    {
      on: 'server',
      nft: nftChain(
        { hook: 'input' },
        `tcp dport ${port} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm`,
        'ct state invalid drop',
      ),
    },
    loose,
  ];
}
