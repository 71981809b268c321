import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import { formatQuantity } from '../model/text.ts';
import { addressesMeant, askedInVain } from './shared-asked-in-vain.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';

const TENTATIVE: LinkAddress = {
  family: 6,
  address: EXAMPLE_ATTEMPT.server.address,
  prefixLength: 64,
  device: 'eth0',
  scope: 'global',
  flags: ['tentative'],
};

export const cause: Cause = defineCause({
  id: 'ipv6-address-tentative',
  title: "The server's IPv6 address is still tentative, so nobody learns its MAC",
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'addresses'],
  wants: ['neighbourActivity'],
  assess({ attempt, addresses, neighbourActivity }) {
    if (attempt.side !== 'server') return [];
    const meant = addressesMeant(attempt, addresses, 6).filter(({ family }) => family === 6);
    if (meant.length === 0) return [];
    if (attempt.synAcks > 0)
      return [contradicts('conclusive', 'attempt', 'the server answered, so its address is usable')];
    const tentative = meant.filter(({ flags }) => isTentative(flags));
    const [address] = tentative;
    if (address === undefined) {
      const why = meant.some(({ flags }) => flags.includes('dadfailed'))
        ? 'was found to be a duplicate'
        : 'is not tentative';
      return [contradicts('conclusive', 'addresses', `${meant[0]?.address} ${why}`)];
    }
    const evidence: CauseEvidence[] = [
      supports(
        attempt.observed ? 'strong' : 'conclusive',
        'addresses',
        `${address.address} on ${address.device} is tentative: duplicate address detection runs, and solicitations for it are not answered`,
      ),
    ];
    const asked = askedInVain(
      neighbourActivity,
      tentative.map((one) => one.address),
    );
    if (asked !== undefined) {
      const requests = formatQuantity(asked.requests, 'solicitation');
      evidence.push(
        supports('conclusive', 'neighbourActivity', `${requests} for ${asked.target} came in and none was answered`),
      );
    }
    if (attempt.syns > 0) {
      evidence.push(contradicts('strong', 'attempt', 'the SYN did arrive, so a neighbour knows the MAC already'));
    }
    return evidence;
  },
  sentence({ attempt, addresses }) {
    const address = addressesMeant(attempt, addresses, 6).find(({ flags }) => isTentative(flags));
    const which = address === undefined ? attempt.server.address : `${address.address} on ${address.device}`;
    return `${which} is tentative: until duplicate address detection is over, the server does not answer neighbours that look for it`;
  },
  remedies({ attempt, addresses }) {
    const address = addressesMeant(attempt, addresses, 6).find(({ flags }) => isTentative(flags));
    const device = address?.device ?? attempt.inDevice ?? 'DEVICE';
    return [
      {
        id: 'wait',
        title: 'Wait: detection takes one second for each probe (dad_transmits)',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `Try again in a few seconds; "ip -6 addr show dev ${device} tentative" shows when it is over`,
          },
        ],
      },
      {
        id: 'optimistic',
        title:
          'Let addresses be used while they are checked (optimistic DAD, RFC 4429), or add virtual addresses with "nodad"',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: `net.ipv6.conf.${device}.optimistic_dad`, value: '1' }],
      },
    ];
  },
  explanation: `
A new IPv6 address is *tentative* until duplicate address detection is over: the host asks whether somebody has it already, waits one second for each probe, and answers
nobody who looks for it meanwhile. After a boot, a link that went down and up, or the move of a virtual address, the server is
therefore deaf for one to two seconds, longer with a larger \`dad_transmits\`, and as long as the link has no carrier.

The router cannot resolve the address and answers the client with ICMPv6 "address unreachable" after three seconds, or the client's own attempts time out. No SYN reaches the
server; its capture shows solicitations for the address that nobody answers, and its own probes from \`::\`.

Be sure: \`ip -6 addr show tentative\` lists the address.

Linux 6.18: \`addrconf_dad_begin()\`; \`ndisc_recv_ns()\` ignores solicitations for a tentative address unless it is optimistic.
`,
  confusedWith: [
    { id: 'ipv6-dad-failed', toldApartBy: 'there the detection is over and found another host: the flag is dadfailed' },
    { id: 'ipv6-disabled-server', toldApartBy: 'there IPv6 is off on the interface, and it has no address' },
    { id: 'router-neighbour-unresolved', toldApartBy: 'the same, seen from the router; this says why' },
  ],
  scenario: {
    families: [6],
    plan: ({ ip, server, serverPrefix, serverDevice }) => {
      const address = `${server}/${serverPrefix.split('/')[1]}`;
      return {
        steps: [
          // The router gives up after three seconds: the client must wait for that.
          { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
          {
            on: 'server',
            sysctl: {
              [`net.ipv6.conf.${serverDevice}.accept_dad`]: 1,
              [`net.ipv6.conf.${serverDevice}.dad_transmits`]: 60,
            },
          },
          { on: 'server', run: [...ip, 'addr', 'del', address, 'dev', serverDevice] },
          { on: 'router', run: [...ip, 'neigh', 'flush', 'all'] },
          { on: 'server', run: [...ip, 'addr', 'add', address, 'dev', serverDevice] },
        ],
        // The client can see that the last router finds nobody, not why.
        expect: { client: ['router-neighbour-unresolved'] },
      };
    },
  },
  examples: [
    {
      name: 'solicitations came in for a tentative address',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        addresses: [TENTATIVE],
        neighbourActivity: [
          { device: 'eth0', target: TENTATIVE.address, direction: 'in', requests: 3, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'a watch of a port: no SYN came, any address may be meant',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          family: 4,
          client: { address: '0.0.0.0', port: 0 },
          server: { address: '0.0.0.0', port: 443 },
          syns: 0,
          sightings: [],
        },
        addresses: [TENTATIVE],
        neighbourActivity: [
          { device: 'eth0', target: TENTATIVE.address, direction: 'in', requests: 3, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'a duplicate was found: that is another cause',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        addresses: [{ ...TENTATIVE, flags: ['dadfailed', 'tentative'] }],
      },
      expect: 'ruled-out',
    },
    {
      name: 'an address in order',
      given: { attempt: EXAMPLE_ATTEMPT, addresses: [{ ...TENTATIVE, flags: [] }] },
      expect: 'ruled-out',
    },
  ],
  references: [
    'RFC 4862 section 5.4',
    'RFC 4429',
    'net/ipv6/addrconf.c: addrconf_dad_begin()',
    'net/ipv6/ndisc.c: ndisc_recv_ns()',
  ],
});

function isTentative(flags: readonly string[]): boolean {
  return flags.includes('tentative') && !flags.includes('dadfailed') && !flags.includes('optimistic');
}
