#!/usr/bin/env bash
# Records samples/no-return-route/web7.synscope anew: a server that loses its IPv6 default route while it is watched, and a client
# behind a router that tries to connect. Needs root, iproute2 and python3; everything it makes is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
client=sample-cl-$$ router=sample-rt-$$ server=web7-$$
listener=
cleanup() {
  [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
  for name in "$client" "$router" "$server"; do ip netns del "$name" 2>/dev/null || true; done
}
trap cleanup EXIT

for name in "$client" "$router" "$server"; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
ip -n "$client" link add eth0 type veth peer name eth1 netns "$router"
ip -n "$server" link add eth0 type veth peer name eth2 netns "$router"
address() {
  ip netns exec "$1" sysctl -qw "net.ipv6.conf.$3.accept_dad=0"
  ip -n "$1" -6 addr add "$2/64" dev "$3" nodad
  ip -n "$1" link set "$3" up
}
address "$client" 2001:db8:1::2 eth0
address "$router" 2001:db8:1::1 eth1
address "$router" 2001:db8:2::1 eth2
address "$server" 2001:db8:2::2 eth0
ip netns exec "$router" sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n "$client" -6 route add default via 2001:db8:1::1
ip -n "$server" -6 route add default via 2001:db8:2::1
ip netns exec "$client" sysctl -qw net.ipv4.tcp_syn_linear_timeouts=0
ip netns exec "$server" python3 -c '
import socket
s = socket.create_server(("::", 443), family=socket.AF_INET6, backlog=511)
held = []
while True: held.append(s.accept())' &
listener=$!
sleep 1.5
./synscope record -o samples/no-return-route/web7.synscope --force --on "netns:$server" --port 443 --from 2001:db8:1::2 --for 9s &
recording=$!
sleep 3
ip -n "$server" -6 route del default
sleep 1.5
ip netns exec "$client" timeout 9 python3 -c '
import socket
socket.create_connection(("2001:db8:2::2", 443))' || true
wait "$recording"
chmod 644 samples/no-return-route/web7.synscope
