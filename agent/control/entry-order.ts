import type { NamespaceKind } from "../namespace-calls.ts";

/** What the helper (namespace-helper.ts) is told on its standard input, as one line of JSON. */
export interface EntryOrder {
  /** Where the host's procfs is mounted. */
  readonly procRoot: string;
  readonly oldPid: number;
  readonly initPid: number;
  /** Those of the container's init that are not the agent's own, each with its inode: a PID may be reused meanwhile. */
  readonly namespaces: readonly { readonly kind: NamespaceKind; readonly inode: number }[];
  /** For each hierarchy the cgroups to try, as folders. */
  readonly cgroups: readonly (readonly string[])[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Sets of capabilities, in hexadecimal digits. */
  readonly inheritable: string;
  readonly bounding: string;
  readonly ambient: string;
  readonly noNewPrivileges: boolean;
  /** Whether the oldest seccomp filter of the old process, which is the runtime's, is to be put on the new one. */
  readonly seccomp: boolean;
  readonly umask: number;
  /** -20 to 19, setpriority(2). */
  readonly nice: number;
  readonly oomScoreAdjust: number;
  /** By RLIMIT number; null: unlimited. */
  readonly limits: readonly { readonly soft: number | null; readonly hard: number | null }[];
}

/**
 * A line of JSON on the helper's standard output: first that it is ready, and after it was told to go (a line on its
 * standard input) the host PID of the new process; or what failed, which is the last.
 */
export type EntryReport =
  | { readonly kind: "ready" }
  | { readonly kind: "started"; readonly pid: number }
  | { readonly kind: "failed"; readonly message: string };
