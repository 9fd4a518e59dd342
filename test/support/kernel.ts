import { existsSync, readFileSync, readlinkSync } from "node:fs";

// capabilities(7)
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;
const hostPidNamespace = "pid:[4026531836]";

/** Why the kernel will not give this to the tests here; undefined: it should. */
export function kernelObstacle(what: "bpf" | "connector"): string | undefined {
  const mask = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`,
  );
  const has = (bit: bigint): boolean => ((mask >> bit) & 1n) === 1n;
  if (readlinkSync("/proc/self/ns/pid") !== hostPidNamespace) return "not in the host's PID namespace";
  if (what === "connector") {
    if (!has(CAP_NET_ADMIN)) return "the proc connector needs CAP_NET_ADMIN";
    // Threads of the kernel are in the first one.
    return readlinkSync("/proc/self/ns/net") === readlinkSync("/proc/2/ns/net")
      ? undefined
      : "not in the host's network namespace";
  }
  if (!has(CAP_SYS_ADMIN) && !(has(CAP_BPF) && has(CAP_PERFMON))) return "bpf(2) needs root";
  return existsSync("/sys/kernel/btf/vmlinux") ? undefined : "the kernel has no type information";
}
