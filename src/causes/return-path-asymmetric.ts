import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Link } from '../model/facts/links.ts';
import { formatList } from '../model/text.ts';
import { EXAMPLE_ATTEMPT, ROUTE_BACK } from './shared-examples.ts';
import { ANSWERED_IN_VAIN, listening } from './shared-examples-server.ts';
import { settledOnTheWire, splitPath, unacknowledged } from './shared-synack.ts';

const SPLIT = {
  ...ANSWERED_IN_VAIN,
  sightings: ANSWERED_IN_VAIN.sightings.map((one) => (one.segment === 'syn-ack' ? { ...one, device: 'eth1' } : one)),
};

function link(name: string, master: string): Link {
  return { index: 2, name, flags: ['UP'], operState: 'UP', master, xdp: [], counters: {}, growth: {} };
}

/** Routing tables of one's own begin here, far from those that have a name (iproute2, rt_tables). */
const OWN_TABLE = '101';

export const cause: Cause = defineCause({
  id: 'return-path-asymmetric',
  title: 'The SYN-ACK leaves through another interface than the SYN came in, and is lost',
  place: 'server',
  step: 'path-back',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['links', 'outgoingRoute', 'sockets', 'routes'],
  assess({ attempt, links, outgoingRoute, sockets }) {
    const settled = settledOnTheWire(attempt);
    if (settled !== undefined) return settled;
    const split = splitPath(attempt, links);
    if (split === undefined) {
      const known = attempt.sightings.some(({ segment, device }) => segment === 'syn-ack' && device !== undefined);
      return known ? [contradicts('conclusive', 'attempt', 'SYN and SYN-ACK pass the same interface')] : [];
    }
    const open = sockets?.connections.find(
      ({ state, remote }) => state === 'ESTAB' && remote.address === attempt.client.address,
    );
    if (open !== undefined) {
      const said = `a connection of ${attempt.client.address} is open, so answers do arrive on this way`;
      return [contradicts('strong', 'sockets', said)];
    }
    const [into, out] = [formatList(split.inDevices), formatList(split.outDevices)];
    const evidence: CauseEvidence[] = [
      // That the two ways differ is sure; that this loses the SYN-ACK is not, unless somebody there says so.
      supports('strong', 'attempt', `the SYN came in through ${into}, the SYN-ACK left through ${out}`),
      unacknowledged(attempt),
    ];
    if (
      outgoingRoute?.ok === true &&
      outgoingRoute.device !== undefined &&
      split.outDevices.includes(outgoingRoute.device)
    ) {
      const way = outgoingRoute.gateway === undefined ? '' : ` (gateway ${outgoingRoute.gateway})`;
      evidence.push(
        supports(
          'moderate',
          'outgoingRoute',
          `the route back to ${attempt.client.address} leads through ${outgoingRoute.device}${way}`,
        ),
      );
    }
    const icmp = attempt.icmpErrors.find(
      ({ towards, from }) => towards === 'server' && from !== attempt.client.address,
    );
    if (icmp !== undefined) {
      evidence.push(supports('conclusive', 'attempt', `${icmp.from} refuses the SYN-ACK there: ${icmp.name}`));
    }
    if (sockets?.exact?.state === 'SYN-RECV') {
      evidence.push(supports('weak', 'sockets', 'the half-open connection waits in SYN-RECV'));
    }
    return evidence;
  },
  sentence({ attempt, links }) {
    const split = splitPath(attempt, links);
    const into = split === undefined ? 'one interface' : formatList(split.inDevices);
    const out = split === undefined ? 'another' : formatList(split.outDevices);
    return `SYNs of ${attempt.client.address} come in through ${into}, but the server answers through ${out}, and these SYN-ACKs do not arrive`;
  },
  remedies({ attempt, links, routes }) {
    const device = splitPath(attempt, links)?.inDevices[0] ?? attempt.inDevice;
    const { family, server } = attempt;
    const gateway = routes
      ?.filter((route) => route.family === family && route.type === 'unicast')
      .flatMap(({ nextHops }) => nextHops)
      .find((hop) => hop.gateway !== undefined && hop.device === device)?.gateway;
    return [
      {
        id: 'answer-where-it-came-from',
        title: `Let what has the source address ${server.address} leave through ${device ?? 'the interface of the SYN'}`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'route',
            action: 'add',
            family,
            destination: 'default',
            via: gateway ?? 'GATEWAY',
            ...(device === undefined ? {} : { device }),
            table: OWN_TABLE,
          },
          {
            kind: 'rule',
            action: 'add',
            family,
            priority: 1000,
            selector: ['from', server.address, 'lookup', OWN_TABLE],
          },
        ],
      },
    ];
  },
  explanation: `
The kernel chooses the way of the SYN-ACK by its destination alone: \`ip_route_output_flow()\`. On a host with several interfaces the answer may leave through another than the SYN came in. There a
firewall that never saw the SYN drops it, a provider drops the foreign source address (BCP 38), or a router checks the reverse path.

The capture of the server (\`-i any\`) shows the SYN on one interface and SYN-ACKs on another, repeated; \`TCPSynRetrans\` moves, \`ss\` shows SYN-RECV. With strict \`rp_filter\` on this host
the SYN would not have been taken at all (\`rp-filter-strict\`).

Asymmetric routing is no fault in itself. It is named here because nothing came back; where the SYN-ACK ended only the far end of that interface can say, or an ICMP error from there: hence likely, and no more. Be sure:
\`ip route get CLIENT from SERVER\` names the other interface, and with a rule for the source address the handshake works.
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'there both pass the same interface' },
    { id: 'rp-filter-strict', toldApartBy: 'there the SYN is dropped and no SYN-ACK is made' },
    { id: 'asymmetric-stateful-firewall', toldApartBy: 'the hop that drops it is elsewhere' },
  ],
  scenario: {
    plan: ({ ip, family, clientPrefix, elsewhere, elsewherePrefix }) => {
      const near = `${elsewhere}/${elsewherePrefix.split('/')[1] ?? ''}`;
      const gateway = nextAddress(elsewhere);
      return {
        steps: [
          { on: 'server', run: ['ip', 'link', 'add', 'up1', 'type', 'veth', 'peer', 'name', 'up1x'] },
          { on: 'server', run: [...ip, 'addr', 'add', near, 'dev', 'up1', ...(family === 6 ? ['nodad'] : [])] },
          { on: 'server', run: ['ip', 'link', 'set', 'up1', 'up'] },
          { on: 'server', run: ['ip', 'link', 'set', 'up1x', 'up'] },
          // The gateway of the other interface is known, and swallows what it gets.
          {
            on: 'server',
            run: ['ip', 'neigh', 'replace', gateway, 'lladdr', '02:00:00:00:00:99', 'dev', 'up1', 'nud', 'permanent'],
          },
          { on: 'server', run: [...ip, 'route', 'add', clientPrefix, 'via', gateway, 'dev', 'up1'] },
        ],
      };
    },
  },
  examples: [
    {
      name: 'in through eth0, out through eth1, and nothing comes back',
      given: { attempt: SPLIT, outgoingRoute: { ...ROUTE_BACK, device: 'eth1' } },
      expect: 'likely',
    },
    {
      name: 'a router on the other way refuses the SYN-ACK',
      given: {
        attempt: {
          ...SPLIT,
          icmpErrors: [
            {
              version: 6,
              type: 1,
              code: 5,
              from: '2001:db8:9::1',
              name: 'Source Address Failed Policy',
              towards: 'server',
            },
          ],
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'other connections of this client are open: asymmetric, and well',
      given: {
        attempt: SPLIT,
        sockets: {
          ...listening(),
          connections: [
            {
              state: 'ESTAB',
              local: SPLIT.server,
              remote: { ...SPLIT.client, port: 40_000 },
              receiveQueue: 0,
              sendQueue: 0,
              owners: [],
            },
          ],
        },
      },
      expect: 'ruled-out',
    },
    { name: 'one way for both', given: { attempt: ANSWERED_IN_VAIN }, expect: 'ruled-out' },
    {
      name: 'ports of one bond are one way',
      given: { attempt: SPLIT, links: [link('eth0', 'bond0'), link('eth1', 'bond0')] },
      expect: 'ruled-out',
    },
    { name: 'no SYN-ACK left', given: { attempt: EXAMPLE_ATTEMPT }, expect: 'ruled-out' },
    {
      name: 'the client acknowledged: asymmetric, and well',
      given: {
        attempt: {
          ...SPLIT,
          sightings: [
            ...SPLIT.sightings,
            { segment: 'ack', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' },
          ],
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc2827',
    'https://man7.org/linux/man-pages/man8/ip-rule.8.html',
    'net/ipv4/route.c: ip_route_output_flow()',
  ],
});

/** Another address of the same network: the last group or byte one further, or one back. */
function nextAddress(address: string): string {
  const at = Math.max(address.lastIndexOf('.'), address.lastIndexOf(':')) + 1;
  const radix = address.includes(':') ? 16 : 10;
  const last = Number.parseInt(address.slice(at), radix);
  return address.slice(0, at) + (last > 1 ? last - 1 : last + 1).toString(radix);
}
