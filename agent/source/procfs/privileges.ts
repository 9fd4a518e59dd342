// Umask:  0022
// CapInh: 0000000000000000
// CapPrm: 00000000a80425fb
// CapEff: 00000000a80425fb
// CapBnd: 00000000a80425fb
// CapAmb: 0000000000000000
// NoNewPrivs:     0
// Seccomp:        2
// Seccomp_filters:        1

/** What of /proc/PID/status (proc_pid_status(5)) bounds what a process may do. Sets as bits, bit N for capability N. */
export interface Privileges {
  readonly umask: number;
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
  readonly noNewPrivileges: boolean;
  /** 0 none, 1 strict, 2 filter (seccomp(2)); null where the kernel has no seccomp. */
  readonly seccomp: number | null;
  /** Filters of seccomp(2) in force; 0 where the process is not filtered. */
  readonly seccompFilters: number;
}

/** Undefined when a line is missing that every process has (kernels before 4.10 lack some): guessing would give rights. */
export function parsePrivileges(text: string): Privileges | undefined {
  // The kernel escapes a line feed in the name, and no other character that "m" would take for the end of a line.
  const field = (name: string): string | undefined =>
    new RegExp(`(?:^|\\n)${name}:[ \\t]*([0-9a-f]{1,16})[ \\t]*(?:\\n|$)`).exec(text)?.[1];
  const set = (name: string): bigint | undefined => {
    const digits = field(name);
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  };
  const umask = field("Umask");
  const [inheritable, permitted, effective] = [set("CapInh"), set("CapPrm"), set("CapEff")];
  const [bounding, ambient] = [set("CapBnd"), set("CapAmb")];
  const noNewPrivileges = field("NoNewPrivs");
  if (umask === undefined || noNewPrivileges === undefined) return undefined;
  if (inheritable === undefined || permitted === undefined || effective === undefined) return undefined;
  if (bounding === undefined || ambient === undefined) return undefined;
  return {
    umask: Number.parseInt(umask, 8),
    inheritable,
    permitted,
    effective,
    bounding,
    ambient,
    noNewPrivileges: noNewPrivileges === "1",
    seccomp: field("Seccomp") === undefined ? null : Number(field("Seccomp")),
    // The count is told since Linux 5.9; before, at least that there is one.
    seccompFilters: Number(field("Seccomp_filters") ?? (field("Seccomp") === "2" ? 1 : 0)),
  };
}

/** include/uapi/linux/capability.h, from number 0 on. */
const names: readonly string[] =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`.split(/\s+/);

/** The names of a set's capabilities: `CAP_NET_ADMIN`; `CAP_41` for one that is newer than this list. */
export function capabilityNames(set: bigint): readonly string[] {
  const found: string[] = [];
  for (let number = 0; set >> BigInt(number) > 0n; number++) {
    if (((set >> BigInt(number)) & 1n) === 1n) found.push(`CAP_${names[number] ?? number}`);
  }
  return found;
}
