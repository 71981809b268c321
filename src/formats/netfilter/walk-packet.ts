import type { Endpoints, FilterPacket, Hook, PacketState } from './packet.ts';
import { initialState } from './packet.ts';
import type { BaseHook, FilterChain, FilterTable } from './ruleset.ts';
import { stops } from './ruleset.ts';
import { depends, isSure, join, not, type Truth, UNKNOWN } from './truth.ts';
import { hasConnection } from './view.ts';
import { ChainWalk, type Flow, type WalkHit, type WalkTerms } from './walk-chain.ts';

/** What came of one packet. */
export interface PacketWalk {
  /** In the order in which the packet meets them; a sure end is the last. */
  readonly hits: readonly WalkHit[];
  /** It surely passes every rule. */
  readonly passes: boolean;
  /** It surely does not pass, whichever rule takes it. */
  readonly blocked: boolean;
  /** As it leaves, when it may; more than one when that is not sure. */
  readonly flows: readonly Flow[];
  /** Whether a received packet is sent on instead of delivered here, as far as it came; absent when it did not come so far. */
  readonly forwarded?: Truth;
}

/** All base chains of one hook at one priority: a chain, or all of translation, which run as one (nf_nat_inet_fn()). */
interface Station {
  readonly priority: number;
  readonly nat: boolean;
  readonly chains: { readonly table: FilterTable; readonly chain: FilterChain; readonly base: BaseHook }[];
}

/** NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC: where translation happens, whatever the priority of its chains. */
const NAT_PRIORITY: { readonly [H in Hook]?: number } = {
  prerouting: -100,
  output: -100,
  input: 100,
  postrouting: 100,
};

/** Order of hooks, for the place of hits. */
const HOOKS: readonly Hook[] = ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'];

/** Walks one packet through all rule sets of a host, in the order of the kernel. */
export function walkPacket(tables: readonly FilterTable[], packet: FilterPacket, terms: WalkTerms): PacketWalk {
  const walk = new PacketWalker(tables, packet, terms);
  const flows = walk.run();
  const end = walk.hits.findIndex(({ doubt, verdict }) => doubt === undefined && stops(verdict));
  return {
    hits: end < 0 ? walk.hits : walk.hits.slice(0, end + 1),
    passes: flows.length > 0 && !walk.incomplete && !walk.hits.some(({ verdict }) => stops(verdict)),
    blocked: flows.length === 0 && !walk.incomplete,
    flows,
    ...(walk.forwarded === undefined ? {} : { forwarded: walk.forwarded }),
  };
}

class PacketWalker {
  forwarded: Truth | undefined;
  private readonly tables: readonly FilterTable[];
  private readonly packet: FilterPacket;
  private readonly chains: ChainWalk;
  private readonly terms: WalkTerms;

  constructor(tables: readonly FilterTable[], packet: FilterPacket, terms: WalkTerms) {
    this.tables = tables;
    this.packet = packet;
    this.terms = terms;
    this.chains = new ChainWalk(packet, terms);
  }

  get hits(): readonly WalkHit[] {
    return this.chains.hits;
  }

  get incomplete(): boolean {
    return this.chains.incomplete;
  }

  run(): readonly Flow[] {
    const start: Flow[] = [{ state: initialState(this.packet) }];
    if (this.packet.origin === 'local') return this.leave(this.rerouted(this.through('output', start)));
    const routed = this.through('prerouting', this.through('ingress', start));
    const delivered: Flow[] = [];
    const forwarded: Flow[] = [];
    for (const flow of routed) {
      const local = this.isLocal(flow.state);
      this.forwarded = this.forwarded === undefined || this.forwarded === not(local) ? not(local) : UNKNOWN;
      if (local !== false) delivered.push(isSure(local) ? flow : { ...flow, doubt: join(flow.doubt, local)! });
      if (local !== true) forwarded.push(isSure(local) ? flow : { ...flow, doubt: join(flow.doubt, local)! });
    }
    const input = this.through('input', delivered);
    return [...input, ...this.leave(this.through('forward', this.rerouted(forwarded)))];
  }

  private leave(flows: readonly Flow[]): readonly Flow[] {
    return this.through('egress', this.through('postrouting', flows));
  }

  private isLocal(state: PacketState): Truth {
    if (state.toThisHost) return true;
    const { connection, local } = this.packet;
    const translated = state.destinationNat !== undefined && state.destinationNat !== connection?.destination;
    const mapped = connection !== undefined && (connection.destination ?? connection.source) !== undefined;
    if (!translated && !mapped) return local;
    return this.terms.host.addressType(state.destination, 'local');
  }

  /** A translated destination has a route of its own. */
  private rerouted(flows: readonly Flow[]): Flow[] {
    return flows.map((flow) => {
      const { destinationNat, destination } = flow.state;
      if (destinationNat === undefined || this.packet.direction === 'reply') return flow;
      return { ...flow, state: { ...flow.state, outDevice: this.terms.host.deviceTowards(destination) } };
    });
  }

  private through(hook: Hook, flows: readonly Flow[]): readonly Flow[] {
    let current = flows;
    for (const [index, station] of stationsOf(this.tables, this.packet.family, hook).entries()) {
      if (current.length === 0) break;
      this.chains.at = { hook, priority: station.priority };
      const place = [HOOKS.indexOf(hook), index];
      current = current.flatMap((flow) =>
        station.nat ? this.translate(station, flow, place) : this.filter(station, flow, place),
      );
    }
    return current;
  }

  private filter(station: Station, flow: Flow, place: readonly number[]): Flow[] {
    const { table, chain, base } = station.chains[0]!;
    const here = this.passesDevice(base, flow.state);
    if (here === false) return [flow];
    if (here === true) return this.chains.walkBase(table, chain, base, flow, place);
    const hitsBefore = this.hits.length;
    const unsure: Flow = { ...flow, doubt: join(flow.doubt, here)! };
    const through = this.chains.walkBase(table, chain, base, unsure, place);
    if (through.length === 0) return [unsure];
    return this.hits.length === hitsBefore ? through.map(({ state }) => ({ ...flow, state })) : through;
  }

  /** Whether the packet passes the device of an ingress or egress chain. */
  private passesDevice({ hook, devices }: BaseHook, { outDevice }: PacketState): Truth {
    if (hook !== 'ingress' && hook !== 'egress') return true;
    const { packet } = this;
    const rerouted = hook === 'egress' && outDevice !== packet.outDevice;
    const passed = hook === 'ingress' ? packet.ingressDevices : rerouted ? undefined : packet.egressDevices;
    if (devices === undefined || passed === undefined) return depends();
    return devices.some((device) => passed.includes(device));
  }

  private translate(station: Station, flow: Flow, place: readonly number[]): Flow[] {
    const view = this.chains.viewOf(flow.state);
    const tracked = hasConnection(view);
    if (tracked === false) return [flow];
    const { packet } = this;
    if (packet.connection !== undefined)
      return [{ ...flow, state: this.mapped(flow.state, packet.connection.original) }];
    const fresh = typeof packet.state === 'string' ? packet.state === 'new' && tracked : packet.state;
    if (fresh === false) return [flow];
    let waiting: Flow[] = [isSure(fresh) ? flow : { ...flow, doubt: join(flow.doubt, fresh)! }];
    const done: Flow[] = [];
    for (const [index, { table, chain, base }] of station.chains.entries()) {
      const out = waiting.flatMap((one) => this.chains.walkBase(table, chain, base, one, [...place, index]));
      waiting = out.filter(({ state }) => !wasTranslated(flow.state, state));
      done.push(...out.filter(({ state }) => wasTranslated(flow.state, state)));
    }
    return [...done, ...waiting];
  }

  /** A packet of a known connection is translated as the first one was (nf_nat_packet()). */
  private mapped(state: PacketState, original: Endpoints): PacketState {
    const { direction, connection } = this.packet;
    const toDestination = this.chains.at.priority < 0;
    if (direction === 'original') {
      const to = toDestination ? connection?.destination : connection?.source;
      if (to === undefined) return state;
      return toDestination
        ? { ...state, destination: to.address ?? state.destination, destinationPort: to.port ?? state.destinationPort }
        : { ...state, source: to.address ?? state.source, sourcePort: to.port ?? state.sourcePort };
    }
    return toDestination
      ? { ...state, destination: original.source, destinationPort: original.sourcePort }
      : { ...state, source: original.destination, sourcePort: original.destinationPort };
  }
}

function wasTranslated(before: PacketState, after: PacketState): boolean {
  return before.destinationNat !== after.destinationNat || before.sourceNat !== after.sourceNat;
}

/** What a packet of a family meets at a hook, in order. */
function stationsOf(tables: readonly FilterTable[], family: 4 | 6, hook: Hook): Station[] {
  const stations: Station[] = [];
  const nat: Station = { priority: NAT_PRIORITY[hook] ?? 0, nat: true, chains: [] };
  // Of two hooks of the same priority the kernel calls the younger one first (nf_hook_entries_grow()).
  for (const table of [...tables].reverse()) {
    if (!meets(table, family, hook)) continue;
    for (const chain of [...table.chains.values()].reverse()) {
      const { base } = chain;
      if (base?.hook !== hook) continue;
      if (base.type === 'nat') nat.chains.push({ table, chain, base });
      else stations.push({ priority: base.priority, nat: false, chains: [{ table, chain, base }] });
    }
  }
  if (NAT_PRIORITY[hook] !== undefined) {
    nat.chains.sort((a, b) => a.base.priority - b.base.priority);
    stations.push(nat);
  }
  return stations.sort((a, b) => a.priority - b.priority);
}

function meets({ family }: FilterTable, packetFamily: 4 | 6, hook: Hook): boolean {
  if (family === 'netdev') return hook === 'ingress' || hook === 'egress';
  return family === 'inet' || family === (packetFamily === 4 ? 'ip' : 'ip6');
}
