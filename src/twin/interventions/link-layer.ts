import { attribute, nested, u8 } from '../../formats/netlink/attributes.ts';
import { encodeLink } from '../../formats/netlink/link.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../../formats/netlink/message.ts';
import { encodeNeighbour, NUD_PERMANENT } from '../../formats/netlink/neighbour.ts';
import { AF_BRIDGE, RTM_DELNEIGH, RTM_NEWNEIGH, RTM_SETLINK } from '../../formats/netlink/rtnetlink.ts';
import { isSilent } from '../build-links.ts';
import { bytesOf, macBytes } from '../frames.ts';
import type { LinkState } from '../state.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

const IFF_NOARP = 0x80;
const IFF_UP = 1;
const IFLA_PROTINFO = 12;
const IFLA_BRPORT_STATE = 1;
/** Numbers of the states of a bridge port as `ip` names them. */
const PORT_STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'];
const FORWARDING = 3;

/** Neighbours, links and ports of bridges, and neighbours that do not answer. */
export function linkLayerInterventions(bench: Bench): Intervention[] {
  return [...neighbours(bench), ...links(bench), ...silentLinks(bench), ...ports(bench), ...world(bench)];
}

function neighbours({ twin: { state }, original }: Bench): Intervention[] {
  return state.neighbours
    .filter(({ address, states }) => states.includes('PERMANENT') && isOfFamily(address, original.family))
    .flatMap(({ address, device, linkAddress }): Intervention[] => {
      const linkIndex = indexOf(state.links, device);
      if (linkIndex === undefined || linkAddress === undefined) return [];
      const request = { linkIndex, address: bytesOf(address) };
      return [
        {
          element: { kind: 'neighbour', element: `${address} lladdr ${linkAddress} dev ${device}`, change: 'removed' },
          rank: 'existing',
          breadth: 1,
          apply: ({ routing }) =>
            void routing.request({ type: RTM_DELNEIGH, flags: 0, body: encodeNeighbour(request) }),
          revert: ({ routing }) =>
            void routing.request({
              type: RTM_NEWNEIGH,
              flags: NLM_F_CREATE | NLM_F_REPLACE,
              body: encodeNeighbour({ ...request, state: NUD_PERMANENT, mac: macBytes(linkAddress) }),
            }),
        },
      ];
    });
}

function links({ twin: { state } }: Bench): Intervention[] {
  return state.links
    .filter(({ flags }) => !flags.includes('UP'))
    .map(({ name, index }): Intervention => {
      const set = (flags: number) => (bench: Bench) =>
        void bench.routing.request({
          type: RTM_SETLINK,
          flags: 0,
          body: encodeLink({ index, flags, changedFlags: IFF_UP }),
        });
      return {
        element: { kind: 'link', element: name, change: 'up' },
        rank: 'existing',
        breadth: 3,
        disturbs: true,
        apply: set(IFF_UP),
        revert: set(0),
      };
    });
}

/** Interfaces that do not speak ARP. */
function silentLinks({ twin: { state } }: Bench): Intervention[] {
  return state.links.filter(isSilent).map(({ name, index }): Intervention => {
    const set = (flags: number) => (bench: Bench) =>
      void bench.routing.request({
        type: RTM_SETLINK,
        flags: 0,
        body: encodeLink({ index, flags, changedFlags: IFF_NOARP }),
      });
    return {
      element: { kind: 'link', element: `${name} arp`, change: 'on' },
      rank: 'existing',
      breadth: 1,
      apply: set(0),
      revert: set(IFF_NOARP),
    };
  });
}

function ports({ twin: { state } }: Bench): Intervention[] {
  return state.links.flatMap(({ name, index, bridgePortState }): Intervention[] => {
    const state = bridgePortState === undefined ? -1 : PORT_STATES.indexOf(bridgePortState.toLowerCase());
    if (state < 0 || state === FORWARDING) return [];
    const set = (value: number) => (bench: Bench) =>
      void bench.routing.request({
        type: RTM_SETLINK,
        flags: 0,
        body: encodeLink({
          index,
          family: AF_BRIDGE,
          attributes: [nested(IFLA_PROTINFO, [attribute(IFLA_BRPORT_STATE, u8(value))])],
        }),
      });
    return [
      {
        element: { kind: 'bridge-port', element: name, change: 'forwarding' },
        rank: 'existing',
        breadth: 1,
        apply: set(FORWARDING),
        revert: set(state),
      },
    ];
  });
}

/** Neighbours that the host knew as dead: they may be dead because of what it did itself. */
function world({ twin, original }: Bench): Intervention[] {
  return twin.deadNeighbours
    .filter((neighbour) => isOfFamily(neighbour.split(' ')[1] ?? '', original.family))
    .map((neighbour): Intervention => {
      const [device, address] = neighbour.split(' ');
      return {
        element: { kind: 'world', element: `${address} dev ${device}`, change: 'answers ARP and ND' },
        rank: 'world',
        breadth: 1,
        apply: ({ twin }) => twin.setAnswers(neighbour, true),
        revert: ({ twin }) => twin.setAnswers(neighbour, false),
      };
    });
}

function isOfFamily(address: string, family: 4 | 6): boolean {
  return address.includes(':') === (family === 6);
}

function indexOf(links: readonly LinkState[], name: string): number | undefined {
  return links.find((link) => link.name === name)?.index;
}
