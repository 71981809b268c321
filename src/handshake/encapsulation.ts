import {
  type Layers,
  TUNNEL_GENEVE,
  TUNNEL_GRE,
  TUNNEL_IPIP,
  TUNNEL_MPLS,
  TUNNEL_PPPOE,
  TUNNEL_VLAN,
  TUNNEL_VXLAN,
} from '../formats/wire/layers.ts';

const NAMES: Readonly<Record<number, string>> = {
  [TUNNEL_VLAN]: 'VLAN',
  [TUNNEL_MPLS]: 'MPLS',
  [TUNNEL_PPPOE]: 'PPPoE',
  [TUNNEL_IPIP]: 'IP-in-IP',
  [TUNNEL_GRE]: 'GRE',
  [TUNNEL_VXLAN]: 'VXLAN',
  [TUNNEL_GENEVE]: 'Geneve',
};

/** Separates the encapsulations of one packet in their joint name. */
export const ENCAPSULATION_SEPARATOR = ' / ';

/** So many different combinations get a name; a hostile capture could hold one for each packet. */
const MAX_NAMES = 4096;

/**
 * Index in `names` of what encapsulates a packet, for example `VLAN 100 / VXLAN 42`; added when new. 0 when nothing does.
 */
export function encapsulationIndex(names: string[], layers: Layers): number {
  if (layers.tunnelCount === 0) return 0;
  const parts: string[] = [];
  for (let i = 0; i < layers.tunnelCount; i++) {
    const id = layers.tunnelId[i]!;
    const name = NAMES[layers.tunnelKind[i]!] ?? 'tunnel';
    parts.push(id === 0 ? name : `${name} ${id}`);
  }
  const name = parts.join(ENCAPSULATION_SEPARATOR);
  const known = names.lastIndexOf(name);
  if (known >= 0) return known;
  return names.length < MAX_NAMES ? names.push(name) - 1 : 0;
}
