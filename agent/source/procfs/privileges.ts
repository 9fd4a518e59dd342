// CapEff: 00000000a80425fb
// CapBnd: 00000000a80425fb
// CapAmb: 0000000000000000
// Seccomp:        2
// Seccomp_filters:        1

/** What /proc/PID/status (proc_pid_status(5)) says of a process's rights. */
export interface Privileges {
  /** Sets of capabilities(7): bit N is the capability of that number. */
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
  /** 0 none, 1 strict, 2 filter (seccomp(2)); null where the kernel has no seccomp. */
  readonly seccomp: number | null;
  /** How many filters are in force; null before Linux 5.9. */
  readonly seccompFilters: number | null;
}

/** @returns undefined when a set of capabilities is missing */
export function parsePrivileges(text: string): Privileges | undefined {
  // The kernel escapes a line feed in the name, and no other character that "m" would take for the end of a line.
  const value = (label: string, digits: string): string | undefined =>
    new RegExp(`(?:^|\\n)${label}:[ \\t]*(${digits}{1,16})[ \\t]*(?:\\n|$)`).exec(text)?.[1];
  const set = (label: string): bigint | undefined => {
    const hex = value(label, "[0-9a-f]");
    return hex === undefined ? undefined : BigInt(`0x${hex}`);
  };
  const count = (label: string): number | null => {
    const digits = value(label, "\\d");
    return digits === undefined ? null : Number(digits);
  };
  const [effective, bounding, ambient] = [set("CapEff"), set("CapBnd"), set("CapAmb")];
  if (effective === undefined || bounding === undefined || ambient === undefined) return undefined;
  return {
    effective,
    bounding,
    ambient,
    seccomp: count("Seccomp"),
    seccompFilters: count("Seccomp_filters"),
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
