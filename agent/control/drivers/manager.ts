import { isAbove } from "../../ancestors.ts";
import { AgentError, reasonOf } from "../../errors.ts";
import { findOwner } from "../../managers/find-owner.ts";
import { type ManagedProgram, type Manager, type ManagerKind, managerKinds } from "../../managers/manager.ts";
import {
  type Container,
  containerLabel,
  formatRef,
  type Snapshot,
  type TargetProcess,
  type Targets,
} from "../../model.ts";
import { notRunnable, type RestartDriver } from "./driver.ts";

export interface ManagerDriverParts {
  /** The managers in a container, found now. */
  readonly managersIn: (container: Container, snapshot: Snapshot) => readonly Manager[];
  /** The latest scan. */
  readonly snapshot: () => Snapshot | undefined;
}

/** What one plan needs of a container's managers, whatever their kind: each is asked once. */
interface Look {
  readonly snapshot: Snapshot;
  readonly managers: readonly Manager[];
  readonly list: (manager: Manager) => Promise<readonly ManagedProgram[]>;
  /** Those that did not answer. */
  readonly silent: ReadonlySet<Manager>;
}

/** A program of a manager, to be restarted. */
interface Chosen {
  readonly manager: Manager;
  readonly program: string;
}

/** The process manager in the container that owns the target restarts it in its own way. One driver a kind, in order. */
export function createManagerDrivers(parts: ManagerDriverParts): readonly RestartDriver[] {
  // The drivers are asked one after the other for the same targets.
  const looks = new WeakMap<Targets, Look>();
  const lookFor: LookFor = (targets, container) => {
    const snapshot = parts.snapshot();
    const look =
      looks.get(targets) ?? (snapshot && createLook(parts.managersIn(container, snapshot), snapshot));
    if (look !== undefined) looks.set(targets, look);
    return look;
  };
  return managerKinds.map((kind) => createManagerDriver(kind, lookFor));
}

/** Undefined: no scan has ended yet. */
type LookFor = (targets: Targets, container: Container) => Look | undefined;

function createLook(managers: readonly Manager[], snapshot: Snapshot): Look {
  const lists = new Map<Manager, Promise<readonly ManagedProgram[]>>();
  const silent = new Set<Manager>();
  const ask = async (manager: Manager): Promise<readonly ManagedProgram[]> => {
    try {
      return await manager.list();
    } catch (error) {
      silent.add(manager);
      throw error;
    }
  };
  return {
    snapshot,
    managers,
    silent,
    list: (manager) => {
      const list = lists.get(manager) ?? ask(manager);
      lists.set(manager, list);
      return list;
    },
  };
}

function createManagerDriver(kind: ManagerKind, lookFor: LookFor): RestartDriver {
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
      const look = lookFor(targets, container);
      if (look === undefined) return { reason: "no scan has ended yet" };
      const managers = look.managers.filter((manager) => manager.kind === kind);
      if (managers.length === 0) return { reason: `no ${kind} runs in ${name}` };
      try {
        const chosen =
          targets.processes.length > 0
            ? await ofProcesses(targets.processes, kind, look)
            : await byProgramName(program ?? "", managers, look);
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
        const silent = managers.filter((manager) => look.silent.has(manager));
        const owner = silent.find((manager) =>
          targets.processes.some(({ ref }) => isAbove(manager.ref.pid, ref.pid, look.snapshot)),
        );
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
  { managers, snapshot, list }: Look,
): Promise<readonly Chosen[] | { readonly reason: string }> {
  const chosen = new Map<string, Chosen>();
  for (const process of processes) {
    const found = await findOwner(process.ref.pid, managers, snapshot, list);
    if (found?.manager.kind !== kind)
      return {
        reason: `${formatRef(process.ref)} (${process.name}) is not a process of one of its programs`,
      };
    chosen.set(`${found.manager.ref.pid} ${found.program}`, found);
  }
  return [...chosen.values()];
}

/** A program of which nothing runs: it is known by name only. */
async function byProgramName(
  program: string,
  managers: readonly Manager[],
  { list }: Look,
): Promise<readonly Chosen[] | { readonly reason: string }> {
  for (const manager of managers) {
    if ((await list(manager)).some(({ name }) => name === program)) return [{ manager, program }];
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
