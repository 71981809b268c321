#!/bin/bash
# What a person does on a machine with systemd; runs as root in the copy of a machine that deploy-systemd.sh makes. Each answer is a line
# "name: ..." for deploy-systemd.test.ts.
cd /
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
synscope() { "$root/node_modules/.bin/node" "$root/bin/synscope.js" "$@"; }
status() { curl -s -m 5 http://127.0.0.1:7321/api/v1/status; }
# Tries until a command succeeds, for at most a minute.
until_so() { for ((i = 0; i < 120; i++)); do "$@" && return; sleep 0.5; done; return 1; }
sees() { status | grep -q "$1"; }

synscope install-service
echo "install: $?"
until_so sees schemaVersion
echo "health: $(curl -s -m 5 http://127.0.0.1:7321/healthz)"
pid=$(systemctl show --property MainPID --value synscope)
echo "user: $(ps -o user= -p "$pid")"
echo "capabilities: $(sed -n 's/^Cap\(Eff\|Bnd\|Amb\):\s*//p' "/proc/$pid/status" | sort -u | tr '\n' ' ')"
echo "no-new-privileges: $(sed -n 's/^NoNewPrivs:\s*//p' "/proc/$pid/status")"
mount_of() { awk -v path="$1" '$5 == path { options = $6 } END { split(options, list, ","); print list[1] }' "/proc/$pid/mountinfo"; }
echo "mounts: / $(mount_of /), /proc/sys $(mount_of /proc/sys), /proc/sys/net $(mount_of /proc/sys/net)"

# A namespace that comes later, with a listener that has no route back to its client.
ip netns add late
ip netns add peer
ip -n late link add eth0 type veth peer name eth0 netns peer
for one in late peer; do ip -n $one link set lo up; ip -n $one link set eth0 up; done
ip -n late addr add 10.9.0.1/24 dev eth0
ip -n peer addr add 10.8.0.2/32 dev eth0
ip -n peer route add 10.9.0.1 dev eth0 src 10.8.0.2
ip netns exec late "$root/node_modules/.bin/node" -e "require('node:net').createServer().listen(8443, '0.0.0.0')" &
listener=$!
until_so sees netns:late
echo "later-namespace: $?"
until_so sh -c 'ip netns exec late ss -Hltn | grep -q 8443'
timeout 4 ip netns exec peer bash -c 'exec 3<>/dev/tcp/10.9.0.1/8443' 2>/dev/null
found() { synscope incidents --json | grep -q no-return-route; }
until_so found
echo "incident: $?"
kill $listener

echo 'page: {listen: here}' >/etc/synscope.yaml
systemctl reload synscope
until_so sh -c 'journalctl --unit synscope --quiet | grep -q "the configuration stays as it was"'
echo "wrong-configuration: $? $(systemctl is-active synscope)"
systemctl kill --signal KILL --kill-whom main synscope
until_so sh -c '[ "$(systemctl show --property NRestarts --value synscope)" != 0 ]'
echo "restarted: $?"
: >/etc/synscope.yaml
systemctl reset-failed synscope
systemctl restart synscope
until_so sees schemaVersion
until_so found
echo "history: $?"
synscope install-service --kernel-events
echo "again: $?"
until_so sees schemaVersion
pid=$(systemctl show --property MainPID --value synscope)
echo "tracing: $(mount_of /sys/kernel/tracing) $(mount_of /sys/kernel/tracing/instances)"
synscope uninstall-service
echo "uninstall: $? $(systemctl is-active synscope) $(test -e /var/lib/synscope/history.duckdb && echo kept)"
synscope uninstall-service --purge
echo "purge: $? $(test -e /var/lib/synscope || echo gone) $(getent passwd synscope)"
