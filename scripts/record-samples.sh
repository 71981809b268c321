#!/usr/bin/env bash
# Records the captures in samples/ for real, in network namespaces of its own that are gone when it ends, however it ends.
#   scripts/record-samples.sh [NAME...]     records all samples, or those named; needs root, tcpdump, dumpcap, editcap, nft
#
# The lab of every sample; all hosts are namespaces, nothing leaves this machine:
#
#   client eth0 ----------- lan0 router wan0 ----------- eth0 server
#   198.18.1.2                                            198.18.2.2
#   2001:db8:1::2                                         2001:db8:2::2
#
# The router is .1 / ::1 on each side. Each client tries a SYN four times (tcp_syn_retries 3: after 1, 3 and 7 s) and gives up
# after 15 s; each server sends a SYN-ACK three times. Every capture goes on for a second after that, and shows a healthy
# handshake then, so that a silence in it is a silence and not the end of the recording.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
samples=$PWD/samples
traffic=$PWD/scripts/sample-traffic.ts
PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin

# Every sample runs in a subshell of its own: its namespaces, its captures, its servers, its clean-up.
lab_up() {
  id=synscope-$$-$name
  work=$(mktemp -d)
  trap lab_down EXIT
  trap 'exit 143' TERM
  for host in client router server; do
    ip netns add "$id-$host"
    ip -n "$id-$host" link set lo up
    on "$host" sysctl -qw net.ipv4.tcp_syn_retries=3 net.ipv4.tcp_syn_linear_timeouts=0 net.ipv4.tcp_synack_retries=2 \
      net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.router_solicitations=0
  done
  on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  wire client eth0 lan0 1
  wire server eth0 wan0 2
  ip -n "$id-client" route add default via 198.18.1.1
  ip -n "$id-client" -6 route add default via 2001:db8:1::1
  ip -n "$id-server" route add default via 198.18.2.1
  ip -n "$id-server" -6 route add default via 2001:db8:2::1
  sleep 3 # until the new interfaces have announced themselves
}

# wire HOST INTERFACE ROUTER_INTERFACE SUBNET
wire() {
  ip link add "$2" netns "$id-$1" type veth peer name "$3" netns "$id-router"
  ip -n "$id-$1" addr add "198.18.$4.2/24" dev "$2"
  ip -n "$id-$1" -6 addr add "2001:db8:$4::2/64" dev "$2" nodad
  ip -n "$id-router" addr add "198.18.$4.1/24" dev "$3"
  ip -n "$id-router" -6 addr add "2001:db8:$4::1/64" dev "$3" nodad
  ip -n "$id-$1" link set "$2" up
  ip -n "$id-router" link set "$3" up
}

lab_down() {
  trap '' INT TERM HUP
  local host
  for host in client router server; do
    end_programs "$id-$host"
    ip netns del "$id-$host" || true
  done
  rm -rf "$work"
} 2>/dev/null

# end_programs NAMESPACE
end_programs() {
  local pids
  pids=$(ip netns pids "$1" 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # one argument a process
  [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
}

on() { ip netns exec "$id-$1" "${@:2}"; }

# capture HOST INTERFACE FILE: starts a capture; those of a name in .pcapng are dumpcap's, as Wireshark's are.
capture() {
  local started=$work/started-$1
  if [[ $3 == *.pcapng ]]; then
    ip netns exec "$id-$1" dumpcap -q -i "$2" -s 160 -w "$work/$3" >/dev/null 2>"$started" &
    until grep -qs '^File:' "$started"; do sleep 0.05; done
  else
    ip netns exec "$id-$1" tcpdump -i "$2" -s 160 -U -Z root -w "$work/$3" >/dev/null 2>"$started" &
    until grep -qs 'listening on' "$started"; do sleep 0.05; done
  fi
  disown # bash reports every job that it sees killed
}

# serve HOST ADDRESS PORT [BACKLOG]
serve() {
  ip netns exec "$id-$1" node "$traffic" serve "${@:2}" >"$work/serve-$3" &
  disown
  until grep -qs ready "$work/serve-$3"; do sleep 0.05; done
}

connect() { on client node "$traffic" connect "$@" | sed "s/^/  $name: port $2: /"; }

# Ends the captures and moves them to samples/NAME.
keep() {
  sleep 1
  local host
  for host in client router server; do
    # shellcheck disable=SC2046 # one argument a process
    kill -INT $(ip netns pids "$id-$host" | while read -r pid; do
      if [[ $(cat "/proc/$pid/comm") =~ ^(tcpdump|dumpcap)$ ]]; then echo "$pid"; fi
    done) 2>/dev/null || true
  done
  sleep 0.5
  mkdir -p "$samples/$name"
  install -m 644 "$work"/*.pcap* "$samples/$name"
}

both_ends() {
  capture client eth0 client.pcap
  capture server eth0 server.pcap
}

router_rule() {
  on router nft -f - <<<"table inet filter { chain forward { type filter hook forward priority 0; $1; }; }"
}
server_rule() {
  on server nft -f - <<<"table inet filter { chain input { type filter hook input priority 0; $1; }; }"
}

# The server's default route is gone. Neighbours of the server, such as the router's own health check, still get in.
no-return-route() {
  capture client eth0 client.pcap
  capture server eth0 server.pcapng
  serve server :: 443
  connect 2001:db8:2::2 443 3
  connect 2001:db8:2::2 8443
  sleep 1
  ip -n "$id-server" -6 route del default
  connect 2001:db8:2::2 443 &
  sleep 2
  on router node "$traffic" connect 2001:db8:2::2 443
  sleep 5
  on router node "$traffic" connect 2001:db8:2::2 443
  wait $!
  ip -n "$id-server" -6 route add default via 2001:db8:2::1
  connect 2001:db8:2::2 443
}

# A packet filter on the way drops SYNs to 5432 and lets 443 through.
lost-before-server() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 5432
  router_rule 'tcp dport 5432 drop'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 5432
  connect 198.18.2.2 443
}

# A packet filter on the way drops the SYN-ACKs from 8080.
answer-lost() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  router_rule 'tcp sport 8080 tcp flags syn,ack / syn,ack drop'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 8080
  connect 198.18.2.2 443
}

# The SYN-ACK leaves by another interface than the SYN came in by, and the router's reverse-path filter drops it.
# The server is captured with -i any: a capture of eth0 alone would show a silent server.
asymmetric-route() {
  wire server eth1 wan1 3
  capture client eth0 client.pcap
  on server sysctl -qw net.ipv4.conf.all.arp_announce=2
  capture server any server.pcap
  serve server 0.0.0.0 443
  connect 198.18.2.2 443 2
  ip -n "$id-server" route replace default via 198.18.3.1
  on router sysctl -qw net.ipv4.conf.wan1.rp_filter=1
  connect 198.18.2.2 443
  ip -n "$id-server" route replace default via 198.18.2.1
  connect 198.18.2.2 443
}

# A stateful packet filter on the way lost its state: it drops what the client sends after its SYN.
final-ack-lost() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  router_rule 'tcp dport 8080 tcp flags syn / syn,ack accept; tcp dport 8080 drop'
  connect 198.18.2.2 443 2
  timeout 12 ip netns exec "$id-client" node "$traffic" connect 198.18.2.2 8080 || true
  connect 198.18.2.2 443
}

# Nobody listens on 8443.
refused-by-server() {
  both_ends
  serve server :: 443
  connect 2001:db8:2::2 443 2
  connect 2001:db8:2::2 8443 2
  connect 2001:db8:2::2 443
}

# A packet filter on the way answers SYNs to 8443 with a RST in the server's name; the server listens there.
refused-by-middlebox() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8443
  router_rule 'tcp dport 8443 reject with tcp reset'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 8443 2
  connect 198.18.2.2 443
}

# A packet filter on the way answers SYNs to 25 with "administratively prohibited".
icmp-from-router() {
  both_ends
  serve server :: 443
  serve server :: 25
  router_rule 'tcp dport 25 reject with icmpx admin-prohibited'
  connect 2001:db8:2::2 443 2
  connect 2001:db8:2::2 25
  connect 198.18.2.2 25
  connect 2001:db8:2::2 443
}

# The server's own packet filter answers SYNs to 8080 with "host prohibited".
icmp-from-server() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  server_rule 'tcp dport 8080 reject with icmp host-prohibited'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 8080
  connect 198.18.2.2 443
}

# The router translates the client's address and ports; the server's own packet filter drops SYNs to 8080.
source-nat() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  server_rule 'tcp dport 8080 drop'
  on router nft -f - <<<'table ip nat { chain post { type nat hook postrouting priority 100;
    oifname wan0 ip protocol tcp snat to 198.18.2.1:40000-49999 random; }; }'
  connect 198.18.2.2 443 3
  connect 198.18.2.2 8080
  connect 198.18.2.2 443
}

# The client knows a service address, 198.18.1.80:80, which the router translates to the server's 198.18.2.2:8080. The program
# there stopped accepting: two connections fill its accept queue, the SYNs of the next are dropped without an answer.
destination-nat() {
  both_ends
  ip -n "$id-router" addr add 198.18.1.80/32 dev lan0
  on router nft -f - <<<'table ip nat { chain pre { type nat hook prerouting priority -100;
    ip daddr 198.18.1.80 tcp dport 80 dnat to 198.18.2.2:8080; }; }'
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080 1
  connect 198.18.2.2 443
  connect 198.18.1.80 80 2
  local listener
  listener=$(on server ss -Hltnp 'sport = 8080' | sed 's/.*pid=\([0-9]*\).*/\1/')
  kill -STOP "$listener"
  connect 198.18.1.80 80 >/dev/null &
  connect 198.18.1.80 80 >/dev/null &
  sleep 1
  connect 198.18.1.80 80
  kill -CONT "$listener"
  connect 198.18.1.80 80
}

# The first SYN to 8080 is lost; its repetition after a second gets through.
late() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  router_rule 'tcp dport 8080 tcp flags syn limit rate 1/minute burst 1 packets drop'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 8080
  connect 198.18.2.2 443
}

# The client's own packet filter drops the SYN-ACKs from 8080, behind the capture that shows them arriving.
client-firewall() {
  both_ends
  serve server 0.0.0.0 443
  serve server 0.0.0.0 8080
  on client nft -f - <<<'table inet filter { chain input { type filter hook input priority 0; tcp sport 8080 drop; }; }'
  connect 198.18.2.2 443 2
  connect 198.18.2.2 8080
  connect 198.18.2.2 443
}

# As answer-lost, with a third capture between the ends, on all interfaces of the router that loses the answer.
three-points() {
  both_ends
  capture router any router.pcap
  serve server :: 443
  serve server :: 8080
  router_rule 'tcp sport 8080 tcp flags syn,ack / syn,ack drop'
  connect 2001:db8:2::2 443 2
  connect 2001:db8:2::2 8080
  connect 2001:db8:2::2 443
}

# As lost-before-server, and the server's clock is 37.5 s ahead.
clock-skew() { lost-before-server; }

record() {
  name=$1
  lab_up
  echo "recording $name"
  "$name"
  keep
  if [[ $name == clock-skew ]]; then
    editcap -F pcap -t 37.5 "$samples/$name/server.pcap" "$samples/$name/shifted.pcap"
    mv "$samples/$name/shifted.pcap" "$samples/$name/server.pcap"
  fi
}

all=(no-return-route lost-before-server answer-lost asymmetric-route final-ack-lost refused-by-server refused-by-middlebox
  icmp-from-router icmp-from-server source-nat destination-nat late client-firewall three-points clock-skew)

[[ $(id -u) == 0 ]] || { echo 'record-samples: needs root, for network namespaces and captures' >&2; exit 2; }
for program in ip nft tcpdump dumpcap editcap ss node; do
  command -v "$program" >/dev/null || { echo "record-samples: $program is not installed" >&2; exit 2; }
done
(($#)) || set -- "${all[@]}"
running=()
# What a sample waits for ends with the programs in its namespaces; then it cleans up.
interrupted() {
  trap '' INT TERM HUP
  kill -TERM "${running[@]}" 2>/dev/null
  local namespace
  for namespace in $(ip netns list | grep -o "^synscope-$$-[^ ]*"); do end_programs "$namespace"; done
  wait "${running[@]}"
  exit 130
}
trap interrupted INT TERM HUP
for sample; do
  [[ " ${all[*]} " == *" $sample "* ]] || { echo "record-samples: no sample named $sample" >&2; exit 2; }
  (record "$sample") &
  running+=($!)
done
status=0
for job in "${running[@]}"; do wait "$job" || status=1; done
exit "$status"
