import type { Explanation } from './entry.ts';
import { OUTPUT_DROP, SILENT } from './phrases.ts';

/** Drop reasons of devices, queues, BPF programs and the neighbour table. */
export const DEVICE_DROP_REASONS: Readonly<Record<string, Explanation>> = {
  TC_INGRESS: {
    title: 'dropped by tc on input',
    meaning: 'A filter or BPF program at clsact, ingress or tcx of the interface dropped the packet.',
    moves: 'sch_handle_ingress() and tcx_run() in __netif_receive_skb_core().',
    ...SILENT,
    traps: ['tcpdump sees the packet: it listens before tc.'],
    causes: ['a network policy (Cilium and others), a policer'],
    checks: [
      { statement: 'Filters and programs:', command: 'tc -s filter show dev DEV ingress; bpftool net show dev DEV' },
    ],
    seeAlso: ['XDP', 'TC_EGRESS', 'server-silent'],
    references: ['__netif_receive_skb_core() in net/core/dev.c'],
  },
  TC_EGRESS: {
    title: 'dropped by tc on output',
    meaning: 'A filter or BPF program at clsact egress or tcx dropped the packet on its way out.',
    moves: 'sch_handle_egress() in __dev_queue_xmit().',
    ...OUTPUT_DROP,
    causes: ['a network policy, a policer'],
    checks: [
      { statement: 'Filters and programs:', command: 'tc -s filter show dev DEV egress; bpftool net show dev DEV' },
    ],
    seeAlso: ['QDISC_DROP', 'BPF_CGROUP_EGRESS', 'TCPTimeouts'],
    references: ['__dev_queue_xmit() in net/core/dev.c'],
  },
  QDISC_DROP: {
    title: 'dropped by the queueing discipline',
    meaning: 'The queue of the interface did not take the packet: it is full, or shaped.',
    moves: '__dev_xmit_skb(), called by __dev_queue_xmit().',
    ...OUTPUT_DROP,
    causes: ['a shaper or a queue limit that is too small', 'an overloaded link'],
    checks: [{ statement: 'Drops and overlimits:', command: 'tc -s qdisc show dev DEV' }],
    seeAlso: ['TC_EGRESS', 'TCPTimeouts'],
    references: ['__dev_xmit_skb() in net/core/dev.c'],
  },
  BPF_CGROUP_EGRESS: {
    title: 'dropped by a BPF program of the cgroup on output',
    meaning: 'A cgroup_skb egress program of the process, or of the listener for its SYN-ACKs, dropped the packet.',
    moves: 'ip_finish_output() and ip6_finish_output().',
    ...OUTPUT_DROP,
    causes: ['IPAddressDeny of a systemd unit', 'container policy'],
    checks: [
      {
        statement: 'Programs, and settings of the unit:',
        command: 'bpftool cgroup tree; systemctl show UNIT -p IPAddressDeny',
      },
    ],
    seeAlso: ['SOCKET_FILTER', 'TCPRetransFail', 'ETIMEDOUT'],
    references: ['ip_finish_output() in net/ipv4/ip_output.c', 'systemd.resource-control(5), IPAddressDeny'],
  },
  XDP: {
    title: 'dropped by an XDP program',
    meaning: 'An XDP program dropped the packet before the network stack saw it.',
    moves: 'bpf_prog_run_generic_xdp() users and drivers that report it.',
    wire: 'Nothing in a capture of the server: tcpdump listens after XDP, in driver and in generic mode.',
    application: 'ETIMEDOUT.',
    traps: [
      'Drivers report nothing at all, because there is no skb yet; veth and generic XDP report NOT_SPECIFIED on Linux 6.18.',
    ],
    causes: ['a load balancer or DDoS filter (Cilium, Katran)'],
    checks: [{ statement: 'Is a program attached?', command: 'ip -d link show dev DEV; bpftool net show' }],
    seeAlso: ['lost-before-server', 'TC_INGRESS', 'NOT_SPECIFIED'],
    references: ['do_xdp_generic() in net/core/dev.c'],
  },
  CPU_BACKLOG: {
    title: 'the input queue of a CPU is full',
    meaning: 'More packets came than a CPU could take from its backlog queue (RPS, veth, loopback, tunnels).',
    moves: 'enqueue_to_backlog(); column 2 of /proc/net/softnet_stat moves with it.',
    ...SILENT,
    traps: ['The counter is for the whole machine, not for a network namespace.'],
    causes: ['a burst or flood, and netdev_max_backlog too small', 'one CPU handles all interrupts'],
    checks: [
      {
        statement: 'Second column, a line per CPU, hexadecimal:',
        command: 'cat /proc/net/softnet_stat; sysctl net.core.netdev_max_backlog',
      },
    ],
    seeAlso: ['lost-before-server', 'backlog'],
    references: ['enqueue_to_backlog() in net/core/dev.c'],
  },
  NEIGH_FAILED: {
    title: 'the next hop did not answer ARP',
    meaning: 'A packet waited for the MAC address of its next hop, and nobody answered.',
    moves: 'neigh_invalidate() and __neigh_event_send().',
    wire: 'ARP requests for the next hop, usually three in 3 s, and no reply. The SYN or SYN-ACK never leaves.',
    application:
      'On the client itself EHOSTUNREACH after about 3 s. When the server cannot resolve its next hop: ETIMEDOUT on the client.',
    traps: [
      'IPv6 reports NOT_SPECIFIED at neigh_invalidate instead.',
      'On a server with IPv4 the host tells itself by ICMP, the request is removed, and ListenDrops moves.',
    ],
    causes: [
      'wrong gateway address, gateway down, wrong VLAN',
      'the host is down',
      'ARP is filtered, or suppressed by arp_ignore',
    ],
    checks: [
      { statement: 'State of the next hop:', command: 'ip neigh show' },
      { statement: 'Does it answer?', command: 'arping -c 3 -I DEV GATEWAY' },
    ],
    seeAlso: ['EHOSTUNREACH', 'ListenDrops', 'TCPSpuriousRtxHostQueues'],
    references: ['neigh_invalidate() in net/core/neighbour.c; ipv4_link_failure() in net/ipv4/route.c'],
  },
  NEIGH_CREATEFAIL: {
    title: 'the neighbour table is full',
    meaning: 'No entry for the next hop could be made, usually because gc_thresh3 is reached.',
    moves: 'ip_finish_output2() and ip6_finish_output2().',
    wire: 'No ARP request, no neighbour solicitation and no packet.',
    application: 'ETIMEDOUT, for new peers only.',
    traps: [
      'The table is one for the whole machine; the kernel log says "neighbor table overflow".',
      'On IPv6 Ip6OutNoRoutes moves as well, as if there were no route.',
    ],
    causes: ['a large network on one link, many containers, an address scan'],
    checks: [
      {
        statement: 'Entries against the limit:',
        command: 'ip neigh | wc -l; sysctl net.ipv4.neigh.default.gc_thresh3',
      },
    ],
    seeAlso: ['NEIGH_FAILED', 'Ip6OutNoRoutes'],
    references: ['neigh_alloc() in net/core/neighbour.c'],
  },
};
