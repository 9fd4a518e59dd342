import type { Container, ProcessRef, ProgramCondition } from "../model.ts";
import type { Syscalls } from "../syscalls.ts";

export const managerKinds = ["supervisord", "s6", "runit", "systemd"] as const;
export type ManagerKind = (typeof managerKinds)[number];

/** A program as its manager has it, whether or not a process of it runs. */
export interface ManagedProgram {
  /** What selectors call it: `web`; with supervisord `group:web` where the group has another name; `nginx.service`. */
  readonly name: string;
  /** In the manager's own words: `RUNNING`, `BACKOFF`, `FATAL`; `up`, `down`; `active (running)`. */
  readonly state: string;
  readonly condition: ProgramCondition;
  /** Host PID of its main process; null while there is none, or where it cannot be told. */
  readonly pid: number | null;
  /** The manager's own remark: `Exited too quickly (process log may have details)`; null when it has none. */
  readonly remark: string | null;
}

/** The order of a list, whatever the manager's own is. */
export function byName(one: ManagedProgram, other: ManagedProgram): number {
  return one.name === other.name ? 0 : one.name < other.name ? -1 : 1;
}

/**
 * A process manager that runs in a container. Every call has a limit, whatever the manager does, and what it answers is
 * bounded: it may be frozen, or lie.
 */
export interface Manager {
  readonly kind: ManagerKind;
  /** The manager's own process: supervisord, systemd, s6-svscan, runsvdir; a supervisor without those stands for itself. */
  readonly ref: ProcessRef;
  /** By name. @throws AgentError `unavailable` when it does not answer in time, or not in its protocol */
  list(): Promise<readonly ManagedProgram[]>;
  /**
   * Stops and starts a program, and waits until the manager says that it runs (supervisord: for its `startsecs`).
   * @throws AgentError `not_found` for a name that it does not have, `failed` with the manager's words in a sentence,
   *   `unavailable` as above
   */
  restart(program: string): Promise<void>;
  /** Stops a program so that the manager does not start it again. Throws as `restart`; one that is stopped is no error. */
  stop(program: string): Promise<void>;
  /** What `restart` would do, in words, for a plan: `stop and start program "web"`. */
  describeRestart(program: string): string;
}

/** A process of a container, as a scan has seen it. */
export interface InsideProcess {
  readonly ref: ProcessRef;
  readonly parentPid: number;
  /** PID in the innermost namespace; null where it has only the host's. */
  readonly containerPid: number | null;
  readonly name: string;
  /** Null where unreadable. */
  readonly command: readonly string[] | null;
  /** Text of /proc/PID/cgroup. */
  readonly cgroup: string;
}

/** What a command in a container gave. */
export interface InsideResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the managers need of the agent. */
export interface ManagerParts {
  /** Runs an argument vector inside a container by its runtime, as root, within a limit. @throws AgentError */
  readonly runInside: (container: Container, argv: readonly string[]) => Promise<InsideResult>;
  readonly procRoot: string;
  readonly syscalls: Syscalls;
  /** Undefined when there is no such process; `state` is the kernel's letter as a character code. */
  readonly readStat: (pid: number) => { readonly startTicks: number; readonly state: number } | undefined;
  readonly readEnviron: (pid: number) => readonly string[] | undefined;
  readonly readLink: (pid: number, name: "cwd" | "ns/mnt") => string | undefined;
  readonly monotonicMs: () => number;
}

/** Finds the managers of one kind. */
export interface ManagerFinder {
  readonly kind: ManagerKind;
  /** The managers among a container's processes; none where there is no sign of one. Looks and reads, changes nothing. */
  find(container: Container, processes: readonly InsideProcess[]): readonly Manager[];
  /**
   * The program that a process is the main one of, as far as its processes alone tell it, without a call: s6 and runit
   * by their supervisor's argument, systemd by the cgroup. Undefined: it is none, or the manager has to be asked.
   */
  nameOf(process: InsideProcess, parent: InsideProcess | undefined): string | undefined;
}
