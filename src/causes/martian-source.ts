import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import { routeBackV4, SOURCE_REFUSED } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { expectedSyns, hasClient, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';
import {
  dropsBeforeRouting,
  impossibleSource,
  ownIfFromOutside,
  ownSource,
  sourceRefused,
} from './shared-source-check.ts';

const OWN: LinkAddress = {
  family: 4,
  address: EXAMPLE_ATTEMPT_V4.client.address,
  prefixLength: 32,
  device: 'lo',
  scope: 'global',
  flags: [],
};

export const cause: Cause = defineCause({
  id: 'martian-source',
  title: "The SYN claims one of the server's own addresses, or an impossible one, as its source",
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'addresses'],
  wants: [
    'incomingRoute',
    'outgoingRoute',
    'sysctls',
    'counters',
    'hostCounters',
    'kernelLog',
    'kernelTrace',
    'packetFilter',
  ],
  assess(facts) {
    const { attempt, addresses, incomingRoute, outgoingRoute, sysctls, counters, hostCounters, kernelLog } = facts;
    const { inDevice, client } = attempt;
    if (!synArrived(attempt) || attempt.family !== 4 || !hasClient(attempt)) return [];
    // On lo a packet may come from any address of the host: that is how it talks to itself.
    if (inDevice === 'lo') return attempt.observed ? [] : ownIfFromOutside(attempt, addresses);
    if (attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so its source was taken')];
    }
    const own = ownSource(attempt, addresses);
    const impossible = impossibleSource(client.address);
    const local = own !== undefined || outgoingRoute?.type === 'local';
    if (!local && impossible === undefined) {
      return [
        contradicts('conclusive', 'addresses', `${client.address} is no address of this host, and a possible source`),
      ];
    }
    if (incomingRoute?.ok) {
      return [contradicts('conclusive', 'incomingRoute', `the input path takes the SYN (${incomingRoute.question})`)];
    }
    const accepts = ['all', inDevice].some(
      (name) => name !== undefined && sysctlNumber(sysctls, `net.ipv4.conf.${name}.accept_local`) === 1,
    );
    if (local && impossible === undefined && accepts) {
      return [contradicts('strong', 'sysctls', 'accept_local=1 takes packets from own addresses')];
    }
    const what =
      impossible === undefined
        ? `is an address of this host itself${own === undefined ? '' : ` (on ${own.device})`}`
        : `is ${impossible}`;
    const evidence: CauseEvidence[] = [
      supports(
        sourceRefused(incomingRoute) ? 'strong' : 'conclusive',
        'addresses',
        `the source ${client.address} ${what}`,
      ),
    ];
    if (incomingRoute !== undefined && sourceRefused(incomingRoute)) {
      evidence.push(
        supports(
          'conclusive',
          'incomingRoute',
          `the input path refuses it: ${incomingRoute.question} answers "${incomingRoute.message}"`,
        ),
      );
    }
    if (watched(attempt, counters) && grown(counters, 'TcpExtIPReversePathFilter') >= expectedSyns(attempt)) {
      evidence.push(
        contradicts('moderate', 'counters', 'IPReversePathFilter moved, which a martian source does not move'),
      );
    }
    if (watched(attempt, hostCounters)) {
      const martians = grown(hostCounters, 'rt_cache.in_martian_src');
      if (martians >= expectedSyns(attempt)) {
        evidence.push(
          supports(
            'moderate',
            'hostCounters',
            `in_martian_src +${martians} for ${theSyns(attempt)} (of the whole machine)`,
          ),
        );
      } else if (stoodStill(hostCounters, 'rt_cache.in_martian_src')) {
        evidence.push(contradicts('strong', 'hostCounters', 'in_martian_src +0: no source was refused'));
      }
    }
    if (kernelLog?.some(({ text }) => text.includes('martian source') && text.includes(client.address))) {
      evidence.push(supports('strong', 'kernelLog', `the kernel logged a martian source ${client.address}`));
    }
    const earlier = dropsBeforeRouting(facts.packetFilter, attempt);
    if (earlier !== undefined) evidence.push(earlier);
    const reasons = /^IP_(LOCAL_SOURCE|INVALID_SOURCE|LOCALNET)$/;
    return [...evidence, ...tracedSyn(facts.kernelTrace, { reasons })];
  },
  sentence({ attempt, addresses }) {
    const { client } = attempt;
    const impossible = impossibleSource(client.address);
    if (impossible !== undefined) {
      return `${theSyns(attempt).replace(/^t/, 'T').replace(/^a/, 'A')} came from ${client.address}, which is ${impossible} and no source for a packet, so the kernel drops it as a martian`;
    }
    const own = ownSource(attempt, addresses);
    const where = own === undefined ? '' : ` (on ${own.device})`;
    return `The client uses ${client.address}, which is an address of the server itself${where}, so the kernel drops ${theSyns(attempt)} for a martian source`;
  },
  remedies({ attempt, addresses }) {
    const own = ownSource(attempt, addresses);
    if (own === undefined) return [];
    return [
      {
        id: 'remove-duplicate',
        title: `Take ${own.address} off ${own.device}, when it belongs to the client`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'address',
            action: 'delete',
            address: own.address,
            prefixLength: own.prefixLength,
            device: own.device,
          },
        ],
      },
      {
        id: 'translate-hairpin',
        title: 'Translate the source of connections that leave this host and come back to it (hairpin)',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Add a masquerade rule for them on the device that sends them back, so that they come from its address',
          },
        ],
      },
      {
        id: 'accept-local',
        title: 'Take packets from own addresses on this interface',
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: `net.ipv4.conf.${attempt.inDevice ?? 'all'}.accept_local`, value: '1' }],
      },
    ];
  },
  explanation: `
A packet from the network cannot come from the host itself, so Linux drops IPv4 packets whose source is one of its own addresses, a loopback address, 0.0.0.0/8, a multicast or a
broadcast address. It happens with a duplicate address, with a container that has the address of its host, with a hairpin (a connection that leaves the host, is translated and comes
back with the source unchanged), and with an address that was left on \`lo\` after a move.

No counter of TCP or IP moves. \`in_martian_src\` in \`/proc/net/stat/rt_cache\` does, which is one number for the whole machine and counts reverse path drops as well. With
\`log_martians=1\` the kernel logs "martian source".

Be sure: the client's address is in \`ip addr\` of the server, and \`ip route get SERVER from CLIENT iif DEVICE\` fails with "Invalid argument".

Linux 6.18: \`fib_validate_source()\` and \`ip_route_input_slow()\`; drop reasons IP_LOCAL_SOURCE, IP_INVALID_SOURCE, IP_LOCALNET since 6.13.
`,
  confusedWith: [
    { id: 'rp-filter-strict', toldApartBy: 'IPReversePathFilter moves there, and the source is a stranger' },
    { id: 'own-address-source-ipv6', toldApartBy: 'IPv6 does not check: the SYN-ACK goes to the server itself' },
    { id: 'netfilter-drop-in', toldApartBy: 'a rule drops there' },
    { id: 'duplicate-address', toldApartBy: 'there two hosts answer ARP for one address' },
  ],
  scenario: {
    families: [4],
    variants: ['on-the-interface'],
    plan: ({ client, serverDevice, ip }, variant) => ({
      steps: [
        {
          on: 'server',
          run: [...ip, 'addr', 'add', `${client}/32`, 'dev', variant === undefined ? 'lo' : serverDevice],
        },
      ],
    }),
  },
  examples: [
    {
      name: "the client's address is on lo of the server",
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [OWN],
        incomingRoute: SOURCE_REFUSED,
        outgoingRoute: { ...routeBackV4('lo'), type: 'local' },
        hostCounters: exampleCounters({ 'rt_cache.in_martian_src': 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a loopback source from the network',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, client: { address: '127.0.0.1', port: 50204 } },
        addresses: [],
        incomingRoute: SOURCE_REFUSED,
      },
      expect: 'confirmed',
    },
    {
      name: 'a host that talks to itself over lo',
      given: { attempt: { ...EXAMPLE_ATTEMPT_V4, inDevice: 'lo' }, addresses: [OWN] },
      expect: 'not-indicated',
    },
    {
      name: 'a stranger: the reverse path filter refuses it',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [{ ...OWN, address: '192.0.2.1' }],
        incomingRoute: SOURCE_REFUSED,
        outgoingRoute: routeBackV4('eth1'),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/ipv4/fib_frontend.c: fib_validate_source()',
    'RFC 1812 section 5.3.7',
    'https://docs.kernel.org/networking/ip-sysctl.html',
  ],
});
