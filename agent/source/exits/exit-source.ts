import type { Usage } from "../../model.ts";

/** One end of a process, as the kernel told it. Null: this source does not know. */
export interface ExitRecord {
  readonly pid: number;
  readonly startTicks: number | null;
  /** `comm` at the end. */
  readonly name: string | null;
  readonly parentPid: number | null;
  readonly userId: number | null;
  /** In the encoding of wait(2). */
  readonly status: number | null;
  /** Whether the OOM killer chose it. */
  readonly oomVictim: boolean | null;
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
  /** Seconds from start to end. */
  readonly lifetimeSeconds: number | null;
  /** Text in the form of /proc/PID/cgroup. */
  readonly cgroup: string | null;
  /** From the parent upwards; not always up to the first. */
  readonly ancestors: readonly Ancestor[];
  readonly usage: Usage | null;
}

export interface Ancestor {
  readonly pid: number;
  readonly startTicks: number | null;
  readonly name: string | null;
}

/** A way to learn of the end of every process, those too short-lived for any scan included. */
export interface ExitSource {
  readonly name: "bpf" | "connector";
  /** The ends since the last call, in their order. Never waits. */
  drain(): readonly ExitRecord[];
  /** How many ends could not be told so far. */
  lost(): number;
  close(): void;
}
