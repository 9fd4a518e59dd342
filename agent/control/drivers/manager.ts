import { AgentError, reasonOf } from "../../errors.ts";
import type { Manager, ManagerKind } from "../../managers/manager.ts";
import { type Container, containerLabel, formatRef, type Snapshot, type TargetProcess } from "../../model.ts";
import { notRunnable, type RestartDriver } from "./driver.ts";

export interface ManagerDriverParts {
  /** The managers in a container, found now. */
  readonly managersIn: (container: Container, snapshot: Snapshot) => readonly Manager[];
  /** Whose process it is, or one above it. @throws AgentError `unavailable` when a manager does not answer */
  readonly findManager: (
    target: TargetProcess,
    snapshot: Snapshot,
  ) => Promise<{ readonly manager: Manager; readonly program: string } | undefined>;
  /** The latest scan. */
  readonly snapshot: () => Snapshot | undefined;
}

/** A program of a manager, to be restarted. */
interface Chosen {
  readonly manager: Manager;
  readonly program: string;
}

/** The process manager in the container that owns the target restarts it in its own way. */
export function createManagerDriver(kind: ManagerKind, parts: ManagerDriverParts): RestartDriver {
  return {
    name: kind,
    plan: async (targets) => {
      const { container, program } = targets;
      if (container === null) return { reason: "the target belongs to no container" };
      const name = containerLabel(container);
      if (targets.kind === "container") return { reason: "the target is the whole container" };
      // A paused manager accepts and never answers; a byte in its pipe would act after the thaw.
      const state = notRunnable(container);
      if (state !== undefined) return { reason: state };
      const snapshot = parts.snapshot();
      if (snapshot === undefined) return { reason: "no scan has ended yet" };
      const managers = parts.managersIn(container, snapshot).filter((manager) => manager.kind === kind);
      if (managers.length === 0) return { reason: `no ${kind} runs in ${name}` };
      try {
        const chosen =
          targets.processes.length > 0
            ? await ofProcesses(targets.processes, kind, snapshot, parts)
            : await byProgramName(program ?? "", managers);
        if ("reason" in chosen) return chosen;
        const words = chosen.map((one) => one.manager.describeRestart(one.program)).join("; ");
        return {
          plan: {
            text: words,
            warnings: [],
            stops: targets.processes,
            run: async () => {
              for (const one of chosen) await one.manager.restart(one.program);
              return { kind: "processes", pids: () => mainPids(chosen) };
            },
          },
        };
      } catch (error) {
        if (!(error instanceof AgentError) || error.code !== "unavailable") throw error;
        const owner = managers.find((manager) => isAbove(manager.ref.pid, targets.processes, snapshot));
        if (owner === undefined && targets.processes.length > 0) return { reason: reasonOf(error) };
        // Another way would start a second one beside it, or have it started again by the manager later.
        throw new AgentError(
          "failed",
          `${targets.selector} belongs to ${kind} in ${name}, which does not answer: ${reasonOf(error)}`,
          { cause: error },
        );
      }
    },
  };
}

async function ofProcesses(
  processes: readonly TargetProcess[],
  kind: ManagerKind,
  snapshot: Snapshot,
  parts: ManagerDriverParts,
): Promise<readonly Chosen[] | { readonly reason: string }> {
  const chosen = new Map<string, Chosen>();
  for (const process of processes) {
    const found = await parts.findManager(process, snapshot);
    if (found?.manager.kind !== kind)
      return {
        reason: `${formatRef(process.ref)} (${process.name}) is not a process of one of its programs`,
      };
    chosen.set(`${found.manager.ref.pid} ${found.program}`, found);
  }
  return [...chosen.values()];
}

function isAbove(pid: number, processes: readonly TargetProcess[], snapshot: Snapshot): boolean {
  const { table, rowByPid } = snapshot;
  const parentOf = (at: number): number => table.parentPid[rowByPid.get(at) ?? -1] ?? 0;
  return processes.some(({ ref }) => {
    const seen = new Set<number>();
    for (let at = parentOf(ref.pid); at > 1 && !seen.has(at); at = parentOf(at)) {
      if (at === pid) return true;
      seen.add(at);
    }
    return false;
  });
}

/** A program of which nothing runs: it is known by name only. */
async function byProgramName(
  program: string,
  managers: readonly Manager[],
): Promise<readonly Chosen[] | { readonly reason: string }> {
  for (const manager of managers) {
    if ((await manager.list()).some(({ name }) => name === program)) return [{ manager, program }];
  }
  return { reason: `it has no program "${program}"` };
}

async function mainPids(chosen: readonly Chosen[]): Promise<readonly number[]> {
  const pids: number[] = [];
  for (const { manager, program } of chosen) {
    const pid = (await manager.list()).find(({ name }) => name === program)?.pid ?? null;
    if (pid === null) throw new AgentError("failed", `${manager.kind} shows no process of ${program}`);
    pids.push(pid);
  }
  return pids;
}
