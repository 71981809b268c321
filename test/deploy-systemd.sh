#!/bin/bash
# Starts a systemd of its own on a copy of this machine (an overlay in memory, in namespaces of its own), which runs one script and
# ends. Started by deploy-systemd.test.ts. Arguments: a folder that the script finds as /mnt, the script.
set -eu
shared=$1 script=$2
# Where the copy has its cgroups; systemd of the machine knows nothing of them.
if grep -q name=systemd /proc/self/cgroup; then
  cgroups=/sys/fs/cgroup/systemd
else
  cgroups=/sys/fs/cgroup
fi
if [ -z "${INSIDE:-}" ]; then
  own=$cgroups/synscope-test-$$
  mkdir "$own"
  clean() {
    kill -KILL "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    for ((tries = 0; tries < 50; tries++)); do
      find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -e "$own" ] || break
      sleep 0.1
    done
  }
  trap clean EXIT
  trap 'exit 1' INT TERM HUP
  INSIDE=1 bash -c 'echo $$ >"$0/cgroup.procs"; exec unshare --pid --fork --kill-child --mount --net --uts --ipc --cgroup --propagation private "$@"' \
    "$own" "$0" "$@" &
  machine=$!
  for ((waited = 0; waited < 400; waited++)); do
    if [ -e "$shared/end" ] || ! kill -0 "$machine" 2>/dev/null; then break; fi
    sleep 0.5
  done
  [ -e "$shared/end" ]
  exit
fi

work=$shared/machine
mkdir "$work"
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
for folder in run tmp mnt; do mount -t tmpfs tmpfs "$folder"; done
mount --bind "$shared" mnt
if [ -e /sys/kernel/tracing ]; then mount -t tracefs tracefs sys/kernel/tracing || true; fi
# The checkout may lie where the overlay does not see it.
checkout=$(cd "$(dirname "$script")/.." && pwd)
mkdir -p ".$checkout"
mount --bind "$checkout" ".$checkout"
mount -o remount,bind,ro ".$checkout"
if [ "$cgroups" = /sys/fs/cgroup ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
ip link set lo up

rm -rf etc/systemd/system/*.wants etc/systemd/system/synscope.service* var/lib/synscope
printf '0123456789abcdef0123456789abcdef\n' >etc/machine-id
cat >etc/systemd/system/synscope-test.service <<UNIT
[Service]
Type=oneshot
ExecStart=/bin/bash $script
StandardOutput=file:/mnt/output
StandardError=file:/mnt/output
ExecStopPost=/bin/touch /mnt/end
UNIT
cat >etc/systemd/system/synscope-test.target <<'UNIT'
[Unit]
Wants=synscope-test.service dbus.service systemd-journald.service
UNIT
mkdir old
pivot_root . old
umount -l /old
# As systemd does where it is not in a container: mounts that come later are seen by services.
mount --make-rshared /
exec env -i container=synscope-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=synscope-test.target --log-target=console --log-level=warning
