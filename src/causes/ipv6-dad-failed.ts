import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import { formatList, formatQuantity } from '../model/text.ts';
import { addressesMeant, askedInVain } from './shared-asked-in-vain.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';

const FAILED: LinkAddress = {
  family: 6,
  address: EXAMPLE_ATTEMPT.server.address,
  prefixLength: 64,
  device: 'eth0',
  scope: 'global',
  flags: ['dadfailed', 'tentative'],
};

export const cause: Cause = defineCause({
  id: 'ipv6-dad-failed',
  title: "Another host has the server's IPv6 address, so the server may not use it",
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'addresses'],
  wants: ['neighbourActivity', 'kernelLog'],
  assess({ attempt, addresses, neighbourActivity, kernelLog }) {
    if (attempt.side !== 'server') return [];
    const meant = addressesMeant(attempt, addresses, 6).filter(({ family }) => family === 6);
    if (meant.length === 0) return [];
    if (attempt.synAcks > 0)
      return [contradicts('conclusive', 'attempt', 'the server answered, so its address is usable')];
    const failed = meant.filter(({ flags }) => flags.includes('dadfailed'));
    const [address] = failed;
    if (address === undefined) {
      return [contradicts('conclusive', 'addresses', `${meant[0]?.address} is not marked as a duplicate`)];
    }
    const evidence: CauseEvidence[] = [
      supports(
        attempt.observed ? 'strong' : 'conclusive',
        'addresses',
        `${address.address} on ${address.device} has the flag dadfailed: another host answered for it`,
      ),
    ];
    const asked = askedInVain(
      neighbourActivity,
      failed.map((one) => one.address),
    );
    if (asked !== undefined) {
      const requests = formatQuantity(asked.requests, 'solicitation');
      evidence.push(
        supports(
          'conclusive',
          'neighbourActivity',
          `${requests} for ${asked.target} came in and this host answered none`,
        ),
      );
    }
    const rival = neighbourActivity?.find(
      ({ direction, target, answeredBy }) =>
        direction === 'out' && answeredBy.length > 0 && failed.some((one) => one.address === target),
    );
    if (rival !== undefined) {
      evidence.push(
        supports('strong', 'neighbourActivity', `${formatList(rival.answeredBy)} answers for ${rival.target}`),
      );
    }
    if (kernelLog?.some(({ text }) => /IPv6.*duplicate address/i.test(text) && text.includes(address.address))) {
      evidence.push(supports('moderate', 'kernelLog', 'the kernel logged the duplicate address'));
    }
    if (attempt.syns > 0) {
      evidence.push(contradicts('strong', 'attempt', 'the SYN did arrive, so a neighbour knows the MAC of this host'));
    }
    return evidence;
  },
  sentence({ attempt, addresses }) {
    const address = addressesMeant(attempt, addresses, 6).find(({ flags }) => flags.includes('dadfailed'));
    const which = address === undefined ? attempt.server.address : `${address.address} on ${address.device}`;
    return `${which} was found to be a duplicate (dadfailed), so the server does not use it and nobody reaches it there`;
  },
  remedies({ attempt, addresses }) {
    const address = addressesMeant(attempt, addresses, 6).find(({ flags }) => flags.includes('dadfailed'));
    if (address === undefined) return [];
    const { prefixLength, device } = address;
    return [
      {
        id: 'remove-duplicate-and-readd',
        title: 'Take the address off the other host, then add it here anew',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `Find the other host: "ip -6 neigh" on a third host of the link shows its MAC for ${address.address}`,
          },
          { kind: 'address', action: 'renew', address: address.address, prefixLength, device },
        ],
      },
    ];
  },
  explanation: `
Before Linux uses a new IPv6 address it asks the link whether somebody has it (duplicate address detection). When another host answers, the address stays on the interface with the flag
*dadfailed*, and is not used: solicitations for it are not answered. Nothing tries again when the other host goes away. Cloned machines, virtual addresses that were
active on two nodes for a moment, and switches that send multicast back to its sender (looped probes) cause it.

The router answers clients with ICMPv6 "address unreachable", or their attempts end at the other host.

Be sure: \`ip -6 addr show dadfailed\` lists the address. The kernel logged "IPv6 duplicate address ... detected!".

Linux 6.18: \`addrconf_dad_failure()\`; with \`accept_dad=2\` IPv6 is switched off on the interface when its link-local address is the duplicate. RFC 7527 (enhanced DAD, since 4.10) tells
own probes that were looped back.
`,
  confusedWith: [
    { id: 'ipv6-address-tentative', toldApartBy: 'there detection still runs, and is over in seconds' },
    { id: 'ipv6-disabled-server', toldApartBy: 'there IPv6 is off on the interface' },
    { id: 'duplicate-address', toldApartBy: 'there both hosts use the address (IPv4 has no detection)' },
  ],
  scenario: {
    families: [6],
    plan: ({ ip, server, serverPrefix, serverDevice, routerServerDevice }) => {
      const address = `${server}/${serverPrefix.split('/')[1]}`;
      return {
        steps: [
          // The router gives up after three seconds: the client must wait for that.
          { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
          { on: 'router', run: [...ip, 'addr', 'add', address, 'dev', routerServerDevice, 'nodad'] },
          { on: 'server', sysctl: { [`net.ipv6.conf.${serverDevice}.accept_dad`]: 1 } },
          { on: 'server', run: [...ip, 'addr', 'del', address, 'dev', serverDevice] },
          { on: 'server', run: [...ip, 'addr', 'add', address, 'dev', serverDevice] },
          { waitMs: 2500 },
          { on: 'router', run: [...ip, 'addr', 'del', address, 'dev', routerServerDevice] },
          { on: 'router', run: [...ip, 'neigh', 'flush', 'all'] },
        ],
        // The client can see that the last router finds nobody, not why.
        expect: { client: ['router-neighbour-unresolved'] },
      };
    },
  },
  examples: [
    {
      name: 'solicitations came in for an address that failed detection',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        addresses: [FAILED],
        neighbourActivity: [
          { device: 'eth0', target: FAILED.address, direction: 'in', requests: 3, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: { ...EXAMPLE_ATTEMPT, observed: false, captured: false, syns: 0 }, addresses: [FAILED] },
      expect: 'confirmed',
    },
    {
      name: 'detection still runs',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        addresses: [{ ...FAILED, flags: ['tentative'] }],
      },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN arrived nevertheless, over a neighbour entry that was set by hand',
      given: { attempt: EXAMPLE_ATTEMPT, addresses: [FAILED] },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 4862 section 5.4.5', 'RFC 7527', 'net/ipv6/addrconf.c: addrconf_dad_failure()'],
});
