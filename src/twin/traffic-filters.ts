import { NLM_F_CREATE, NLM_F_EXCL } from '../formats/netlink/message.ts';
import type { Host } from '../host/host.ts';
import type { NetlinkSocket } from '../host/netlink-socket.ts';
import { errnoName } from '../host/system.ts';
import type { Notes } from './notes.ts';
import type { HostState, TrafficFilter } from './state.ts';

/** linux/rtnetlink.h. */
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;

/** The filters of tc in a twin. */
export class TrafficFilters {
  /** Those that were made again. */
  readonly made: TrafficFilter[] = [];
  private readonly state: HostState;
  private readonly netlink: NetlinkSocket;

  constructor(state: HostState, netlink: NetlinkSocket) {
    this.state = state;
    this.netlink = netlink;
  }

  async build(host: Host, notes: Notes): Promise<void> {
    const filters = this.state.trafficFilters ?? [];
    const hooks = this.state.filterHooks.filter((hook) => filters.some(({ device }) => hook.startsWith(`${device} `)));
    for (const hook of hooks) {
      const [device = '', kind = ''] = hook.split(' ');
      await host.run(['tc', 'qdisc', 'add', 'dev', device, kind]);
    }
    for (const filter of filters) {
      const errno = filter.body === undefined ? undefined : this.restore(filter);
      if (errno === 0) this.made.push(filter);
      else {
        const why = errno === undefined ? 'its program is not copied' : errnoName(errno);
        notes.missing(`the filter of tc ${filter.name}: ${why}`);
      }
    }
  }

  /** Takes a filter away; 0, or the number of the error. */
  remove(filter: TrafficFilter): number {
    return this.request(RTM_DELTFILTER, 0, filter);
  }

  /** Makes it again; 0, or the number of the error. */
  restore(filter: TrafficFilter): number {
    return this.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, filter);
  }

  private request(type: number, flags: number, { device, body = '' }: TrafficFilter): number {
    const bytes = Buffer.from(body, 'hex');
    // `tcm_ifindex`, should the interface have another one here.
    bytes.writeInt32LE(this.state.links.find(({ name }) => name === device)?.index ?? 0, 4);
    return this.netlink.request({ type, flags, body: bytes }).errno;
  }
}
