import type { CompleteSyn } from './complete-syn.ts';
import { macBytes } from './frames.ts';
import type { HostState } from './state.ts';

/** The MAC address of everybody of whom nothing is known. */
export const STRANGER = '02:00:00:00:00:fe';
const DEAD_STATES: readonly string[] = ['FAILED', 'INCOMPLETE'];

/** The outside world of a twin: who answers ARP and neighbour discovery on each link. */
export class World {
  /** MAC addresses of neighbours that the host knew, by `eth0 192.0.2.1`. */
  private readonly alive = new Map<string, string>();
  /** Those that somebody wrote down by hand. */
  private readonly written = new Map<string, string>();
  private readonly dead = new Set<string>();
  private readonly raised = new Set<string>();
  private readonly macs: ReadonlySet<string>;
  private readonly masters: ReadonlyMap<string, string>;

  constructor({ neighbours, links }: HostState) {
    for (const { address, device, linkAddress, states } of neighbours) {
      const key = `${device} ${address}`;
      if (states.some((state) => DEAD_STATES.includes(state))) this.dead.add(key);
      else if (linkAddress !== undefined && isMac(linkAddress))
        (states.includes('PERMANENT') ? this.written : this.alive).set(key, linkAddress);
    }
    this.macs = new Set(this.alive.values());
    const bridges = new Set(links.filter(({ kind }) => kind === 'bridge').map(({ name }) => name));
    this.masters = new Map(
      links.flatMap(({ name, master }) => (master !== undefined && bridges.has(master) ? [[name, master]] : [])),
    );
  }

  /** Neighbours that the host knew as dead. */
  get deadNeighbours(): readonly string[] {
    return [...this.dead];
  }

  /** The MAC address that the host knew a neighbour by. */
  macOf(device: string, address: string): string | undefined {
    const key = `${this.layer3(device)} ${address}`;
    return this.alive.get(key) ?? this.written.get(key);
  }

  /** All neighbours that the host knew on an interface, with their addresses. */
  neighboursOn(device: string): readonly { readonly address: string; readonly mac: string }[] {
    const prefix = `${this.layer3(device)} `;
    return [...this.alive]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, mac]) => ({ address: key.slice(prefix.length), mac }));
  }

  /** The interface that has the addresses: the bridge of a port. */
  layer3(device: string): string {
    return this.masters.get(device) ?? device;
  }

  /** From now on the world answers for a dead neighbour, or no more. */
  setAnswers(neighbour: string, answers: boolean): void {
    if (answers) this.raised.add(neighbour);
    else this.raised.delete(neighbour);
  }

  /** Whether somebody has a MAC address. What is written down by hand is believed, unless the SYN itself shows that it is wrong. */
  isAlive(mac: string, syn: CompleteSyn): boolean {
    if (mac === syn.sourceMac || mac === STRANGER || this.macs.has(mac)) return true;
    const wrong = syn.isRouted ? undefined : `${this.layer3(syn.device)} ${syn.source}`;
    return [...this.written].some(([key, written]) => written === mac && key !== wrong);
  }

  /** Whether a MAC address is known only because somebody wrote it down. */
  isOnlyWritten(mac: string, syn: CompleteSyn): boolean {
    return mac !== syn.sourceMac && mac !== STRANGER && !this.macs.has(mac);
  }

  /**
   * Who answers for an address on the link of an interface; undefined when nobody does.
   * @param assumed gets what is taken to be so.
   */
  answererOf(device: string, address: string, syn: CompleteSyn, assumed: Set<string>): string | undefined {
    const link = this.layer3(device);
    const key = `${link} ${address}`;
    const isIngress = link === this.layer3(syn.device);
    const known = this.alive.get(key);
    if (known !== undefined) return known;
    if (this.raised.has(key)) return isIngress ? syn.sourceMac : STRANGER;
    if (this.dead.has(key)) return undefined;
    // The client itself is on the link, or it is behind a router, and then nobody has its address there.
    if (address === syn.source) return isIngress && !syn.isRouted ? syn.sourceMac : undefined;
    if (isIngress && syn.isRouted) {
      assumed.add(`${address} on ${link} is the router that delivered the SYN`);
      return syn.sourceMac;
    }
    assumed.add(`${address} on ${link} answers ${address.includes(':') ? 'neighbour discovery' : 'ARP'}`);
    return STRANGER;
  }
}

function isMac(text: string): boolean {
  try {
    macBytes(text);
    return true;
  } catch {
    return false;
  }
}
