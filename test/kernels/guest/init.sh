#!/bin/busybox sh
# The first process of the guest: makes the place in which the tests run, runs them, sends the result, switches off.
export PATH=/usr/bin HOME=/root TERM=dumb CI=1 NO_COLOR=1
. /etc/guest.env
b=/bin/busybox

$b mount -t devtmpfs none /dev
exec </dev/console >/dev/console 2>&1
$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t cgroup2 none /sys/fs/cgroup
$b mount -t tmpfs none /tmp
$b ip link set lo up

# As on a host with systemd: every controller, and nothing in the first cgroup but the kernel's own threads.
$b sed 's/\([^ ]\+\)/+\1/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
$b mkdir /sys/fs/cgroup/tests
echo $$ >/sys/fs/cgroup/tests/cgroup.procs

echo "guest: Linux $($b uname -r), $($b nproc) CPUs, $($b cut -d' ' -f1 /proc/uptime) s after its start"
cd /pidward || exit 1
# The limit holds when nobody is left outside to end the machine.
$b timeout -k 10 "$GUEST_LIMIT_SECONDS" node node_modules/jest/bin/jest.js --config test/kernels/guest/jest.config.mjs \
  --runInBand --verbose --json --outputFile=/tmp/results.json >/dev/null
echo "guest: jest ended with $?"
# The second serial line: the kernel's own messages cannot tear it.
[ -e /tmp/results.json ] && $b cat /tmp/results.json >/dev/ttyS1
$b poweroff -f
