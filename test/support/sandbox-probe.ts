/** A script for the units of the package tests: what a process there may and may not, one thing a line. It runs `calls` too. */
export const probe = `
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "may $what"; else echo "may not $what"; fi; }
try "write its audit" touch /var/lib/probe/x
try "write its socket's folder" touch /run/probe/x
for folder in / /etc /usr /home /root /var /var/log /opt /boot /sys/fs/cgroup /proc/sys/kernel; do
  try "write $folder" touch $folder/x
done
try "set a kernel parameter" sh -c "echo 1 >/proc/sys/kernel/panic"
mkdir /var/lib/probe/mount
try "mount" mount -t tmpfs none /var/lib/probe/mount
try "leave its root" chroot / true
try "have a user namespace" unshare -U true
try "have a PID namespace" unshare -p true
try "give a file away" chown 1 /var/lib/probe/x
try "choose its CPUs" taskset 1 true
for folder in /var/lib/probe /run/probe /tmp /var/tmp /dev/shm; do
  cp /bin/busybox $folder/true && try "execute what it has written to $folder" $folder/true
  rm -f $folder/true
done
try "make a device" mknod /var/lib/probe/null c 1 3
try "signal others" kill -0 1
try "gain privileges" grep -q '^NoNewPrivs:.0' /proc/self/status
/usr/lib/pidward/bin/node /packages/calls.js
`;

/** What the agent itself calls the kernel for, through the package's own files; likewise. */
export const calls = `
const { loadSyscalls } = require("/usr/lib/pidward/dist/syscalls.js");
const { openSync } = require("node:fs");
const attempt = (what, act) => {
  try { act(); console.log("may " + what); } catch (error) { console.log("may not " + what + ": " + error.message); }
};
loadSyscalls().then((syscalls) => {
  // An array of one number.
  const map = Buffer.alloc(128);
  [2, 4, 4, 1].forEach((value, index) => map.writeUInt32LE(value, 4 * index));
  attempt("use BPF", () => syscalls.bpf(0, map));
  attempt("read the clock's state", () => syscalls.readClock(Buffer.alloc(208)));
  attempt("call a manager in another network", () =>
    syscalls.connectInNetwork(openSync("/proc/1/ns/net", "r"), "127.0.0.1", 9));
  attempt("watch the kernel's messages", () => syscalls.openNetlink(11, 0, 65536).close());
  attempt("open a file inside a root", () => syscalls.openInRoot(openSync("/proc/1/root", "r"), "/etc/passwd", 0));
  attempt("name a process for good", () => syscalls.openPidfd(process.pid));
  attempt("copy a mount", () => syscalls.openReadOnlyMount("/usr/bin/pidward"));
});
`;
