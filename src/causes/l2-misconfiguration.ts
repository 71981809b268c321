import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';

export const cause: Cause = defineCause({
  id: 'l2-misconfiguration',
  title: 'The link layer of the host does not pass the frames on',
  place: 'server',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt', 'links'],
  wants: ['kernelTrace', 'outgoingRoute'],
  assess({ attempt, links, kernelTrace, outgoingRoute }) {
    if (attempt.side !== 'server') return [];
    const accepted = attempt.sightings.some(
      ({ segment, direction, linkDestination, device }) =>
        segment === 'syn' &&
        direction === 'in' &&
        linkDestination === 'host' &&
        links.find(({ name }) => name === device)?.master === undefined,
    );
    if (accepted)
      return [contradicts('conclusive', 'attempt', 'the SYN reached an interface with an address of this host')];
    const evidence = [];
    const blocked = links.find(
      ({ bridgePortState, master }) =>
        bridgePortState !== undefined &&
        bridgePortState !== 'forwarding' &&
        master !== undefined &&
        (outgoingRoute?.device === undefined || outgoingRoute.device === master),
    );
    if (blocked !== undefined) {
      evidence.push(
        supports(
          'conclusive',
          'links',
          `${blocked.name} is a port of the bridge ${blocked.master} in the state "${blocked.bridgePortState}", which passes nothing on`,
        ),
      );
    }
    const dropped = kernelTrace?.drops.find(
      ({ reason }) => reason === 'BRIDGE_INGRESS_STP_STATE' || reason === 'UNHANDLED_PROTO',
    );
    if (dropped !== undefined)
      evidence.push(
        supports(
          'strong',
          'kernelTrace',
          `the kernel dropped ${dropped.count} packets with the reason ${dropped.reason}`,
        ),
      );
    return evidence;
  },
  sentence({ links }) {
    const blocked = links.find(
      ({ bridgePortState }) => bridgePortState !== undefined && bridgePortState !== 'forwarding',
    );
    return blocked === undefined
      ? 'The link layer of this host does not pass the frames on to the interface with the address'
      : `${blocked.name}, a port of the bridge ${blocked.master}, is "${blocked.bridgePortState}" and passes nothing on`;
  },
  remedies({ links }) {
    const blocked = links.find(
      ({ bridgePortState }) => bridgePortState !== undefined && bridgePortState !== 'forwarding',
    );
    return [
      {
        id: 'repair-port',
        title: 'Let the port forward: wait for the spanning tree, or find out why it blocks',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: ['bridge', '-d', 'link', 'show', ...(blocked === undefined ? [] : ['dev', blocked.name])],
          },
        ],
      },
    ];
  },
  explanation: `
Below IP much can stop a frame: a bridge port that the spanning tree blocks (for thirty seconds after it comes up), the wrong VLAN, a MAC filter, ebtables, a bond in the wrong mode, the
anti-spoofing of a virtual switch. The frame is there on one port and gone on the next; ARP dies as well, so neighbours report "host unreachable".

What this host shows: the state of its bridge ports, and the drop reasons BRIDGE_INGRESS_STP_STATE (since about 6.15) and UNHANDLED_PROTO. What lies outside (switches, hypervisors) shows only in a
capture on each port. Linux 6.18: \`br_handle_frame()\`.
`,
  confusedWith: [{ id: 'path-firewall-drop-syn', toldApartBy: 'the frame never comes to any interface of the host' }],
  scenario: {
    requires: ['bridge'],
    plan: ({ serverDevice, server, serverPrefix, serverGateway, routerServerDevice, ip, family }) => {
      const length = serverPrefix.split('/')[1] ?? '';
      return {
        steps: [
          // The router gives up after three seconds: the client must wait for that.
          { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
          { on: 'server', run: ['ip', 'link', 'add', 'br0', 'type', 'bridge'] },
          { on: 'server', run: ['ip', 'link', 'set', 'br0', 'up'] },
          { on: 'server', run: ['ip', 'link', 'set', serverDevice, 'master', 'br0'] },
          { on: 'server', run: [...ip, 'addr', 'del', `${server}/${length}`, 'dev', serverDevice] },
          {
            on: 'server',
            run: [...ip, 'addr', 'add', `${server}/${length}`, 'dev', 'br0', ...(family === 6 ? ['nodad'] : [])],
          },
          { on: 'server', run: [...ip, 'route', 'replace', 'default', 'via', serverGateway, 'dev', 'br0'] },
          { waitMs: 500 },
          // A port without spanning tree takes only "disabled", and only at the second time.
          { on: 'server', run: ['bridge', 'link', 'set', 'dev', serverDevice, 'state', '4'] },
          { on: 'server', run: ['bridge', 'link', 'set', 'dev', serverDevice, 'state', '0'] },
          { on: 'router', run: ['ip', 'neigh', 'flush', 'dev', routerServerDevice] },
        ],
        expect: { client: ['router-neighbour-unresolved'], place: 'path' },
      };
    },
  },
  examples: [
    {
      name: 'a port that blocks',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 0, sightings: [] },
        links: [
          { index: 3, name: 'br0', kind: 'bridge', flags: ['UP'], operState: 'UP', xdp: [], counters: {}, growth: {} },
          {
            index: 2,
            name: 'eth0',
            flags: ['UP'],
            operState: 'UP',
            master: 'br0',
            bridgePortState: 'blocking',
            xdp: [],
            counters: {},
            growth: {},
          },
        ],
      },
      expect: 'confirmed',
    },
    { name: 'the SYN arrived', given: { attempt: EXAMPLE_ATTEMPT_V4, links: [] }, expect: 'ruled-out' },
  ],
  references: ['net/bridge/br_input.c: br_handle_frame()', 'https://docs.kernel.org/networking/bridge.html'],
});
