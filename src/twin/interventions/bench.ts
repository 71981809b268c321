import { NETLINK_ROUTE, type NetlinkSocket, openNetlink } from '../../host/netlink-socket.ts';
import type { CompleteSyn } from '../complete-syn.ts';
import type { Replay, SynSpec } from '../syn.ts';
import type { Twin } from '../twin.ts';
import { FilterSwitch } from './filters.ts';
import type { Intervention } from './intervention.ts';
import { LegacySwitch } from './legacy.ts';
import { settleAddresses } from './own-addresses.ts';
import { RouteBook } from './route-book.ts';

/** A twin on which changes are tried, with the SYN that each is tried with. */
export class Bench {
  readonly twin: Twin;
  /** As it came. */
  readonly original: SynSpec;
  /** With everything decided that it leaves open. */
  readonly complete: CompleteSyn;
  /** The interface that has the addresses: a bridge where the SYN came in by a port of one. */
  readonly device: string;
  /** What the next replay sends; interventions may change it. */
  syn: SynSpec;
  readonly filters: FilterSwitch;
  readonly legacy: LegacySwitch;
  readonly routing: NetlinkSocket;
  readonly routes: RouteBook;
  /** A change could not be taken back: what follows says nothing. */
  isWorn = false;
  /** Changes that could not be made, with why: nothing is known of them. */
  readonly refused: Map<Intervention, string> = new Map();

  constructor(twin: Twin, syn: SynSpec) {
    this.twin = twin;
    this.original = syn;
    this.syn = syn;
    this.complete = twin.complete(syn);
    const { master } = twin.links.get(this.complete.device) ?? {};
    const isJoined = master !== undefined && ['bridge', 'bond', 'team'].includes(twin.links.get(master)?.kind ?? '');
    this.device = isJoined ? master : this.complete.device;
    this.filters = new FilterSwitch();
    this.legacy = new LegacySwitch(twin);
    this.routing = openNetlink(NETLINK_ROUTE);
    this.routes = new RouteBook(this.routing);
    // Rules that remember packets forget them, and what is switched off stays off.
    twin.resetFilters = () => this.filters.resetState();
  }

  /** Sends the SYN with some changes made, and takes them back. */
  try(changes: readonly Intervention[]): Replay {
    return this.trial(changes, () => this.twin.replay(this.syn));
  }

  /** Looks at something with some changes made, and takes them back. */
  trial<T>(changes: readonly Intervention[], look: () => T): T {
    this.make(changes);
    try {
      return look();
    } finally {
      this.takeBack(changes);
    }
  }

  /** Makes changes that stay. */
  make(changes: readonly Intervention[]): void {
    for (const change of changes) change.apply(this);
    const refusal = this.filters.sync() ?? this.legacy.sync();
    this.settle(changes);
    if (refusal !== undefined && changes.length === 1) this.refused.set(changes[0]!, refusal);
  }

  /** Takes changes back, in the opposite order. */
  takeBack(changes: readonly Intervention[]): void {
    for (const change of [...changes].reverse()) change.revert(this);
    this.isWorn ||= this.filters.sync() !== undefined || this.legacy.sync() !== undefined;
    if (changes.some(({ disturbs }) => disturbs === true)) this.routes.restore();
    this.settle(changes);
    this.twin.clean();
  }

  private settle(changes: readonly Intervention[]): void {
    if (this.complete.family === 6 && changes.some(({ disturbs }) => disturbs === true))
      settleAddresses(this.routing, this.original.destination);
  }

  close(): void {
    this.filters.close();
    this.routing.close();
  }
}
