import type { ResourceLimit } from "../api.ts";
import type { NamespaceKind } from "../namespace-calls.ts";
import type { Privileges } from "../source/procfs/privileges.ts";
import type { LinkName } from "../source/procfs/process-files.ts";

/** What /proc tells of a process beside that which respawn captures. */
export interface ProcessTraits {
  readonly privileges: Privileges;
  readonly limits: readonly ResourceLimit[];
  readonly nice: number;
  readonly oomScoreAdjust: number;
  /** Empty: none. */
  readonly securityLabel: string;
}

type ReadLink = (pid: number, name: LinkName) => string | undefined;

/** In the order in which they are entered: the files of the host are out of reach after the last. */
const namespaceKinds: readonly NamespaceKind[] = ["net", "uts", "ipc", "cgroup", "pid", "mnt"];

/** Numbers of capabilities(7). */
const CAP_SYS_NICE = 23;
const CAP_SYS_RESOURCE = 24;
const needed: Readonly<Record<string, number>> = {
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
};

const has = (set: bigint, capability: number): boolean => ((set >> BigInt(capability)) & 1n) === 1n;

/** Why the agent itself is not able to enter namespaces; undefined: it is. */
export function lackOfRights(own: Privileges): string | undefined {
  const missing = Object.entries(needed).flatMap(([name, number]) =>
    has(own.effective, number) ? [] : name,
  );
  return missing.length === 0 ? undefined : `the agent lacks ${missing.join(", ")}`;
}

/**
 * The namespaces to enter so that a new process is where the old one was.
 * @returns those in which the container's init is and the agent is not; or the reason in words why that is not enough
 */
export function findNamespaces(
  old: number,
  init: number,
  own: number,
  readLink: ReadLink,
): readonly { readonly kind: NamespaceKind; readonly inode: number }[] | { readonly reason: string } {
  for (const kind of ["user", "time"] as const) {
    if (readLink(old, `ns/${kind}`) !== readLink(own, `ns/${kind}`))
      return {
        reason: `it is in a ${kind} namespace of its own or its container's, which cannot be entered`,
      };
  }
  // A mount namespace is entered at its own root.
  if (readLink(old, "root") !== "/" || readLink(init, "root") !== "/")
    return { reason: "it or its container's init has another root folder (chroot)" };
  const found: { kind: NamespaceKind; inode: number }[] = [];
  for (const kind of namespaceKinds) {
    const link = readLink(init, `ns/${kind}`);
    if (link !== readLink(old, `ns/${kind}`))
      return { reason: `it is in another ${kind} namespace than the container's init` };
    const inode = Number(/^\w+:\[(\d+)\]$/.exec(link ?? "")?.[1]);
    if (link === readLink(own, `ns/${kind}`)) continue;
    if (Number.isNaN(inode)) return { reason: `its ${kind} namespace cannot be told` };
    found.push({ kind, inode });
  }
  if (!found.some(({ kind }) => kind === "mnt"))
    return { reason: "the container has no mount namespace of its own" };
  return found;
}

/** What the new process will not have of the old one, in words. */
export function namespaceLosses(old: ProcessTraits, own: ProcessTraits): readonly string[] {
  const { privileges } = old;
  const mine = own.privileges;
  const warnings = [
    "stdout and stderr of the new process go nowhere, not to the container's log",
    "parent, other descriptors and scheduling class are not carried over; its parent is the host's PID 1, or who else reaps orphans there",
  ];
  if (privileges.seccompFilters > 1)
    warnings.push(
      `of ${privileges.seccompFilters} seccomp filters only the container's own is carried over: the program adds the others itself, or runs without`,
    );
  if (old.securityLabel !== "" && old.securityLabel !== own.securityLabel)
    warnings.push(
      `the label of the security module is not carried over: it runs as the agent does, not as "${old.securityLabel}"`,
    );
  const lacking = privileges.bounding & ~mine.bounding;
  if (lacking !== 0n)
    warnings.push(
      `capabilities that the agent does not have are missing to it: ${bitsOf(lacking).join(", ")} of capabilities(7)`,
    );
  return [...warnings, ...unreachable(old, own)];
}

/** What only more rights than the agent's could set. */
function unreachable(old: ProcessTraits, own: ProcessTraits): readonly string[] {
  const mine = own.privileges.effective;
  const warnings: string[] = [];
  if (old.nice < own.nice && !has(mine, CAP_SYS_NICE))
    warnings.push(`its priority (nice ${old.nice}) is not carried over: the agent lacks CAP_SYS_NICE`);
  if (has(mine, CAP_SYS_RESOURCE)) return warnings;
  if (old.oomScoreAdjust < own.oomScoreAdjust)
    warnings.push(
      `oom_score_adj ${old.oomScoreAdjust} is not carried over: the agent lacks CAP_SYS_RESOURCE`,
    );
  const lower = old.limits.filter(({ hard }, index) => isAbove(hard, own.limits[index]?.hard ?? null));
  if (lower.length > 0)
    warnings.push(
      `limits stay lower than they were, the agent lacks CAP_SYS_RESOURCE: ${lower.map(({ name }) => name).join(", ")}`,
    );
  return warnings;
}

/** null is unlimited. */
const isAbove = (one: number | null, other: number | null): boolean =>
  other !== null && (one === null || one > other);

function bitsOf(set: bigint): readonly number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => has(set, bit));
}
