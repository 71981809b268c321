import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { Attempt, NeighbourActivity } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import { formatQuantity } from '../model/text.ts';
import { namesServer } from './shared-asked-in-vain.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { clientName, expectedSyns, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';

const OFF = { 'net.ipv6.conf.eth0.disable_ipv6': '1', 'net.ipv6.conf.all.disable_ipv6': '0' };
/** A SYN that nobody sent, and of which the interface is not known. */
const { inDevice: _, ...NO_DEVICE } = EXAMPLE_ATTEMPT;
const SUPPOSED: Attempt = { ...NO_DEVICE, observed: false, captured: false, syns: 0, sightings: [] };
const OWN: LinkAddress = {
  family: 6,
  address: EXAMPLE_ATTEMPT.server.address,
  prefixLength: 64,
  device: 'eth0',
  scope: 'global',
  flags: [],
};

export const cause: Cause = defineCause({
  id: 'ipv6-disabled-server',
  title: 'IPv6 is switched off on the interface of the server',
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'sysctls', 'addresses'],
  wants: ['counters', 'neighbourActivity', 'kernelTrace'],
  assess({ attempt, sysctls, addresses, counters, neighbourActivity, kernelTrace }) {
    if (attempt.side !== 'server') return [];
    const asked = solicited(attempt, neighbourActivity);
    if (attempt.family !== 6 && asked === undefined) return [];
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'the server answered over IPv6')];
    const device = attempt.inDevice ?? asked?.device;
    const global = addresses.filter(({ family, scope }) => family === 6 && scope === 'global');
    if (device === undefined) {
      if (global.length > 0) return [contradicts('strong', 'addresses', 'the host has IPv6 addresses')];
      const off = switchedOff(sysctls);
      if (off === undefined || attempt.observed) return [];
      const where = off.all ? 'all interfaces' : off.devices.join(', ');
      return [
        supports(
          off.all ? 'conclusive' : 'strong',
          'sysctls',
          `IPv6 is switched off on ${where}, and the host has no IPv6 address`,
        ),
      ];
    }
    const key = `net.ipv6.conf.${device}.disable_ipv6`;
    const off = sysctlNumber(sysctls, key);
    if (off === undefined) return [];
    if (off === 0) return [contradicts('conclusive', 'sysctls', `${key} is 0: IPv6 is on`)];
    const evidence: CauseEvidence[] = [
      supports(
        attempt.observed ? 'strong' : 'conclusive',
        'sysctls',
        `${key} is 1: ${device} takes no IPv6 packet at all`,
      ),
    ];
    if (namesServer(attempt) && global.some(({ address }) => address === attempt.server.address)) {
      evidence.push(supports('weak', 'addresses', `${attempt.server.address} is on another interface`));
    }
    if (attempt.syns > 0) {
      const discarded = grown(counters, 'Ip6InDiscards');
      if (watched(attempt, counters) && discarded >= expectedSyns(attempt)) {
        evidence.push(supports('conclusive', 'counters', `Ip6InDiscards +${discarded} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, 'Ip6InDiscards')) {
        evidence.push(contradicts('strong', 'counters', 'Ip6InDiscards +0: no IPv6 packet was thrown away'));
      }
    }
    if (asked !== undefined) {
      const requests = formatQuantity(asked.requests, 'solicitation');
      // Without a named address they may have been meant for another host of the link.
      evidence.push(
        supports(
          namesServer(attempt) ? 'conclusive' : 'strong',
          'neighbourActivity',
          `${requests} for ${asked.target} came in on ${device} and none was answered`,
        ),
      );
    }
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^IPV6DISABLED$/ })];
  },
  sentence({ attempt, neighbourActivity }) {
    const asked = solicited(attempt, neighbourActivity);
    const device = attempt.inDevice ?? asked?.device ?? 'all interfaces';
    const target = namesServer(attempt) ? attempt.server.address : (asked?.target ?? 'its IPv6 address');
    const what =
      synArrived(attempt) && attempt.syns > 0
        ? `${theSyns(attempt)} from ${clientName(attempt)}`
        : `whoever looks for ${target}`;
    return `IPv6 is switched off on ${device} of the server (disable_ipv6=1), so it ignores ${what}`;
  },
  remedies({ attempt, neighbourActivity }) {
    const asked = solicited(attempt, neighbourActivity);
    const device = attempt.inDevice ?? asked?.device ?? 'all';
    return [
      {
        id: 'enable-ipv6',
        title: `Switch IPv6 on for ${device}, and add its address again: it was removed when IPv6 was switched off`,
        risk: 'medium',
        auto: 'never',
        changes: [
          { kind: 'sysctl', key: `net.ipv6.conf.${device}.disable_ipv6`, value: '0' },
          {
            kind: 'advice',
            text: 'Let the network configuration add addresses and routes again, or add them with "ip -6 addr add" and "ip -6 route add"',
          },
        ],
      },
    ];
  },
  explanation: `
With \`disable_ipv6=1\` an interface loses its IPv6 addresses and throws away every IPv6 packet that comes in, neighbour solicitations too. Hardening scripts and container
runtimes set it; names may still have AAAA records, so clients go on trying.

Mostly no SYN arrives: the router cannot resolve the address and answers the client with ICMPv6 "address unreachable" after three seconds. Where the router knows the MAC
(a static entry), SYNs do arrive and are discarded.

Be sure: \`sysctl net.ipv6.conf.DEVICE.disable_ipv6\` is 1 for the interface on which packets come in, and \`Ip6InDiscards\` grows with them. The value of the interface
counts; writing to \`all\` changes all of them.

Linux 6.18: \`ip6_rcv_core()\`, drop reason IPV6DISABLED; \`addrconf_ifdown()\` removes the addresses.
`,
  confusedWith: [
    { id: 'router-neighbour-unresolved', toldApartBy: 'the same, seen from the router; this says why' },
    { id: 'ipv6-address-tentative', toldApartBy: 'there the address is present, with the flag tentative' },
    { id: 'not-my-address', toldApartBy: 'there IPv6 is on: Ip6InAddrErrors moves' },
    { id: 'netfilter-drop-in', toldApartBy: 'there a rule drops, and Ip6InDiscards stands still' },
  ],
  scenario: {
    families: [6],
    variants: ['static-neighbour', 'all-interfaces'],
    plan: ({ ip, serverDevice, routerServerDevice, server }, variant) => ({
      steps: [
        // The router gives up after three seconds: the client must wait for that.
        { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
        ...(variant === 'static-neighbour'
          ? [
              // The router learns the MAC, and keeps it.
              { on: 'client' as const, connect: {} },
              {
                on: 'router' as const,
                run: [...ip, 'neigh', 'change', server, 'dev', routerServerDevice, 'nud', 'permanent'],
              },
            ]
          : []),
        {
          on: 'server',
          sysctl: { [`net.ipv6.conf.${variant === 'all-interfaces' ? 'all' : serverDevice}.disable_ipv6`]: 1 },
        },
        ...(variant === 'static-neighbour' ? [] : [{ on: 'router' as const, run: [...ip, 'neigh', 'flush', 'all'] }]),
      ],
      // The client can see that the last router finds nobody, not why.
      ...(variant === 'static-neighbour' ? {} : { expect: { client: ['router-neighbour-unresolved'] } }),
    }),
  },
  examples: [
    {
      name: 'SYNs arrive over a static neighbour entry and are discarded',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        sysctls: OFF,
        addresses: [],
        counters: exampleCounters({ Ip6InDiscards: 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a watch of a port: no SYN came, and solicitations are not answered',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          family: 4,
          client: { address: '0.0.0.0', port: 0 },
          server: { address: '0.0.0.0', port: 443 },
          syns: 0,
          sightings: [],
        },
        sysctls: OFF,
        addresses: [],
        neighbourActivity: [
          { device: 'eth0', target: '2001:db8:2::2', direction: 'in', requests: 3, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'likely',
    },
    {
      name: 'only supposed: off on the only interface',
      given: {
        attempt: SUPPOSED,
        sysctls: { ...OFF, 'net.ipv6.conf.lo.disable_ipv6': '0' },
        addresses: [{ ...OWN, address: '::1', scope: 'host', device: 'lo' }],
      },
      expect: 'confirmed',
    },
    {
      name: 'IPv6 is on',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        sysctls: { 'net.ipv6.conf.eth0.disable_ipv6': '0' },
        addresses: [OWN],
      },
      expect: 'ruled-out',
    },
    {
      name: 'off on that interface, and nothing was discarded',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        sysctls: OFF,
        addresses: [],
        counters: { ...exampleCounters({}), now: { Ip6InDiscards: 31 } },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv6/ip6_input.c: ip6_rcv_core()'],
});

/** Interfaces other than lo on which IPv6 is off, and whether those are all; undefined when there is none. */
function switchedOff(
  sysctls: Readonly<Record<string, string>>,
): { readonly devices: readonly string[]; readonly all: boolean } | undefined {
  const own = Object.keys(sysctls).flatMap((key) => {
    const device = /^net\.ipv6\.conf\.(.+)\.disable_ipv6$/.exec(key)?.[1];
    return device === undefined || ['all', 'default', 'lo'].includes(device) ? [] : [device];
  });
  const devices = own.filter((device) => sysctlNumber(sysctls, `net.ipv6.conf.${device}.disable_ipv6`) === 1);
  return devices.length === 0 ? undefined : { devices, all: devices.length === own.length };
}

/** Solicitations for the server's IPv6 address, or for any when the attempt names none, that nobody here answered. */
function solicited(
  attempt: Attempt,
  activity: readonly NeighbourActivity[] | undefined,
): NeighbourActivity | undefined {
  return activity?.find(
    ({ direction, target, requests, replies }) =>
      direction === 'in' &&
      requests > 0 &&
      replies === 0 &&
      target.includes(':') &&
      (namesServer(attempt) ? target === attempt.server.address : !target.startsWith('fe80:')),
  );
}
