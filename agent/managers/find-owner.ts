import { ancestorRows } from "../ancestors.ts";
import type { Snapshot } from "../model.ts";
import type { ManagedProgram, Manager } from "./manager.ts";

/** A program that a manager runs, and who that is. */
export interface Owner {
  readonly manager: Manager;
  readonly program: string;
  /** Host PID of its main process. */
  readonly pid: number;
}

/**
 * The program that a process, or one above it in its container, is the main process of. The managers are asked in turn.
 * @param list asks a manager; a caller that needs several answers can remember one
 * @throws AgentError `unavailable` when a manager does not answer
 */
export async function findOwner(
  pid: number,
  managers: readonly Manager[],
  snapshot: Snapshot,
  list: (manager: Manager) => Promise<readonly ManagedProgram[]> = (manager) => manager.list(),
): Promise<Owner | undefined> {
  const chain = chainInside(pid, snapshot);
  for (const manager of managers) {
    const programs = new Map((await list(manager)).map((program) => [program.pid, program.name]));
    for (const at of chain) {
      if (at === manager.ref.pid) break;
      const program = programs.get(at);
      if (program !== undefined) return { manager, program, pid: at };
    }
  }
  return undefined;
}

/** The PID and those above it in the same container. */
function chainInside(pid: number, snapshot: Snapshot): readonly number[] {
  const { table, rowByPid, containerOf } = snapshot;
  const chain = [pid];
  const own = rowByPid.get(pid);
  if (own === undefined) return chain;
  for (const row of ancestorRows(own, snapshot)) {
    if (containerOf[row] !== containerOf[own]) break;
    chain.push(table.pid[row] ?? 0);
  }
  return chain;
}
