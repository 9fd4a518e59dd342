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
  /** Filters of seccomp(2) in force; 0 where the process is not filtered. */
  readonly seccompFilters: number;
}

/** Undefined when a line is missing that every process has (kernels before 4.10 lack some): guessing would give rights. */
export function parsePrivileges(text: string): Privileges | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s*([0-9a-f]+)\\s*$`, "m").exec(text)?.[1];
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
    // The count is told since Linux 5.9; before, at least that there is one.
    seccompFilters: Number(field("Seccomp_filters") ?? (field("Seccomp") === "2" ? 1 : 0)),
  };
}
