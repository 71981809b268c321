import type { Host } from '../host/host.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { IpBatch } from './ip-batch.ts';
import type { Notes } from './notes.ts';
import type { HostState, LinkState } from './state.ts';
import type { Taps } from './tap.ts';

const LOOPBACK = 'lo';
/** Kinds that are made as they are, because what they do with a packet cannot be left out. */
const REAL_KINDS: ReadonlySet<string> = new Set(['bridge', 'vrf']);

/** What a kind of device does with packets that a plain one in its place does not. */
const LOST: Readonly<Record<string, string>> = {
  wireguard: 'encryption',
  ipip: 'encapsulation',
  sit: 'encapsulation',
  gre: 'encapsulation',
  vxlan: 'encapsulation',
  geneve: 'encapsulation',
  xfrm: 'encryption',
};

/**
 * Makes the interfaces, all down, with name, index, MAC address, MTU, carrier and master.
 * @returns the state with the indexes that they really have: a fresh namespace may have devices of its own (`tunl0`, `sit0`).
 */
export async function buildLinks(state: HostState, taps: Taps, host: Host, notes: Notes): Promise<HostState> {
  const real = state.links.filter((link) => isReal(link, state));
  const batch = new IpBatch();
  for (const link of real) {
    const mac = link.linkAddress === undefined ? '' : `address ${link.linkAddress}`;
    batch.add(
      `link add name ${link.name} index ${link.index} ${mac} type ${link.kind} ${link.kindArguments ?? ''}`,
      link.name,
    );
  }
  const missing = new Set((await batch.run(host)).map(({ name }) => name));
  for (const link of state.links) {
    if (link.name === LOOPBACK || (real.includes(link) && !missing.has(link.name))) continue;
    if (missing.has(link.name))
      notes.missing(`what the ${link.kind} ${link.name} does: this kernel has no such device`);
    addTap(link, taps, notes);
  }
  const settings = new IpBatch();
  for (const link of state.links) {
    if (link.mtuBytes !== undefined && link.mtuBytes !== defaultMtu(link)) {
      settings.add(`link set dev ${link.name} mtu ${link.mtuBytes}`, `MTU of ${link.name}`);
    }
    if (isSilent(link)) settings.add(`link set dev ${link.name} arp off`, `ARP of ${link.name}`);
    const master = real.find(({ name }) => name === link.master && !missing.has(name));
    if (master !== undefined)
      settings.add(`link set dev ${link.name} master ${master.name}`, `${link.name} in ${master.name}`);
  }
  for (const { name, said } of await settings.run(host)) notes.missing(`${name}: ${said}`);
  const links = state.links.map((link) => ({ ...link, index: taps.indexOf(link.name) || link.index }));
  return { ...state, links };
}

/** A bridge needs a port through which packets come; without one, a plain device takes its place. */
function isReal({ kind, name }: LinkState, { links }: HostState): boolean {
  return kind !== undefined && REAL_KINDS.has(kind) && links.some(({ master }) => master === name);
}

function addTap(link: LinkState, taps: Taps, notes: Notes): void {
  const { name, index, linkAddress, kind, xdp } = link;
  // The kernel gives every namespace some of its own, when modules for tunnels are loaded.
  if (taps.indexOf(name) > 0) return;
  try {
    taps.add({
      name,
      index,
      ...(linkAddress !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(linkAddress) ? { mac: linkAddress } : {}),
      hasCarrier: !link.flags.includes('NO-CARRIER'),
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    notes.missing(`the interface ${name}: ${systemReason(error)}`);
    return;
  }
  const lost = kind === undefined ? undefined : LOST[kind];
  if (lost !== undefined) notes.missing(`the ${lost} of ${name} (${kind}): the copy has a plain device in its place`);
  for (const { mode, name: program } of xdp) {
    notes.missing(`the XDP program${program === undefined ? '' : ` ${program}`} (${mode}) on ${name}`);
  }
}

function defaultMtu({ name }: LinkState): number {
  return name === LOOPBACK ? 65_536 : 1500;
}

/** Whether an interface could speak ARP, and was told not to; those that never do have no MAC address to ask for. */
export function isSilent({ name, flags, linkAddress }: LinkState): boolean {
  const isEthernet = linkAddress !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(linkAddress);
  return name !== LOOPBACK && isEthernet && flags.includes('NOARP') && !flags.includes('POINTOPOINT');
}

/** Brings the interfaces up that are up on the host. */
export function upCommands({ links }: HostState, batch: IpBatch): void {
  for (const { name, flags } of links) if (flags.includes('UP')) batch.add(`link set dev ${name} up`, `${name} up`);
}

/** Puts the ports of bridges into the states that they have on the host: only spanning tree keeps one from forwarding. */
export async function setPortStates({ links }: HostState, host: Host, notes: Notes): Promise<void> {
  const states: Readonly<Record<string, number>> = { disabled: 0, listening: 1, learning: 2, blocking: 4 };
  for (const { name, bridgePortState, flags } of links) {
    const number = states[bridgePortState ?? ''];
    if (number === undefined || !flags.includes('UP') || flags.includes('NO-CARRIER')) continue;
    const { exitCode, stderr } = await host.run(['bridge', 'link', 'set', 'dev', name, 'state', `${number}`]);
    if (exitCode !== 0) notes.missing(`the state ${bridgePortState} of the bridge port ${name}: ${stderr.trim()}`);
  }
}
