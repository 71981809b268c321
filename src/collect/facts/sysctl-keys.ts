/** Settings of the kernel that some cause asks for, below /proc/sys/net; those that a kernel does not have are absent. */
export const SYSCTL_FILES: readonly string[] = [
  ...names('core', 'somaxconn netdev_max_backlog xfrm_acq_expires xfrm_larval_drop'),
  ...names(
    'ipv4',
    `icmp_echo_ignore_all icmp_errors_use_inbound_ifaddr icmp_msgs_burst icmp_msgs_per_sec icmp_ratelimit icmp_ratemask
     ip_autobind_reuse ip_default_ttl ip_forward ip_local_port_range ip_local_reserved_ports ip_no_pmtu_disc ip_nonlocal_bind
     ip_unprivileged_port_start fwmark_reflect raw_l3mdev_accept
     tcp_abort_on_overflow tcp_base_mss tcp_challenge_ack_limit tcp_ecn tcp_ecn_fallback tcp_ecn_option tcp_fastopen
     tcp_fastopen_blackhole_timeout_sec tcp_fin_timeout tcp_fwmark_accept tcp_invalid_ratelimit tcp_l3mdev_accept tcp_max_orphans
     tcp_max_syn_backlog tcp_max_tw_buckets tcp_mem tcp_migrate_req tcp_min_snd_mss tcp_mtu_probing tcp_no_metrics_save tcp_rfc1337
     tcp_rto_max_ms tcp_sack tcp_syn_linear_timeouts tcp_syn_retries tcp_synack_retries tcp_syncookies tcp_timestamps tcp_tw_recycle
     tcp_tw_reuse tcp_tw_reuse_delay tcp_window_scaling
     neigh/default/gc_thresh1 neigh/default/gc_thresh2 neigh/default/gc_thresh3`,
  ),
  ...names(
    'ipv6',
    `bindv6only fwmark_reflect ip_nonlocal_bind icmp/ratelimit icmp/ratemask route/max_size
     neigh/default/gc_thresh1 neigh/default/gc_thresh2 neigh/default/gc_thresh3`,
  ),
  ...names(
    'netfilter',
    `nf_conntrack_buckets nf_conntrack_checksum nf_conntrack_count nf_conntrack_log_invalid nf_conntrack_max
     nf_conntrack_tcp_be_liberal nf_conntrack_tcp_ignore_invalid_rst nf_conntrack_tcp_loose nf_conntrack_tcp_timeout_established
     nf_conntrack_tcp_timeout_syn_recv nf_conntrack_tcp_timeout_syn_sent nf_conntrack_tcp_timeout_time_wait`,
  ),
  'bridge/bridge-nf-call-iptables',
  'bridge/bridge-nf-call-ip6tables',
];

/** Settings that each interface has for IPv4 (Documentation/networking/ip-sysctl.rst), below `ipv4/conf/DEVICE`. */
export const DEVICE_FILES_V4: readonly string[] = words(
  `accept_local arp_accept arp_announce arp_filter arp_ignore disable_policy disable_xfrm drop_unicast_in_l2_multicast forwarding
   ignore_routes_with_linkdown log_martians proxy_arp route_localnet rp_filter src_valid_mark`,
);

/** The same for IPv6, below `ipv6/conf/DEVICE`. */
export const DEVICE_FILES_V6: readonly string[] = words(
  `accept_dad accept_ra accept_ra_defrtr accept_ra_rt_info_max_plen autoconf dad_transmits disable_ipv6 disable_policy
   drop_unicast_in_l2_multicast force_forwarding forwarding ignore_routes_with_linkdown keep_addr_on_down optimistic_dad proxy_ndp
   seg6_enabled`,
);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

function names(directory: string, text: string): string[] {
  return words(text).map((name) => `${directory}/${name}`);
}
