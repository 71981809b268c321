import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../formats/netlink/message.ts';
import type { NetlinkSocket } from '../host/netlink-socket.ts';
import { errnoName } from '../host/system.ts';
import type { Notes } from './notes.ts';
import { RTM_NEWQDISC, RTM_NEWTCLASS, RTM_NEWTFILTER } from './read-shapers.ts';
import type { HostState, Shaper } from './state.ts';

const TYPES = { qdisc: RTM_NEWQDISC, class: RTM_NEWTCLASS, filter: RTM_NEWTFILTER } as const;

/** Queueing disciplines of a twin with their classes and filters, where the kernel of the host told them by itself. */
export class Shapers {
  private readonly state: HostState;
  private readonly netlink: NetlinkSocket;

  constructor(state: HostState, netlink: NetlinkSocket) {
    this.state = state;
    this.netlink = netlink;
  }

  build(notes: Notes): void {
    for (const part of this.state.shapers ?? []) {
      const errno = this.make(part);
      if (errno !== 0) notes.missing(`the ${part.name}: ${errnoName(errno)}`);
    }
  }

  /** Makes those of an interface again, after they were removed with its root. False when there are none. */
  restore(device: string): boolean {
    const parts = (this.state.shapers ?? []).filter((part) => part.device === device);
    for (const part of parts) this.make(part);
    return parts.length > 0;
  }

  private make({ type, device, body }: Shaper): number {
    const bytes = Buffer.from(body, 'hex');
    // `tcm_ifindex`, should the interface have another one here.
    bytes.writeInt32LE(this.state.links.find(({ name }) => name === device)?.index ?? 0, 4);
    const flags = NLM_F_CREATE | (type === 'qdisc' ? NLM_F_REPLACE : NLM_F_EXCL);
    return this.netlink.request({ type: TYPES[type], flags, body: bytes }).errno;
  }
}
