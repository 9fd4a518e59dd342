import type { ZombieParent } from "../api.ts";
import { formatRef, processState, type Snapshot } from "../model.ts";
import { isInit } from "./programs.ts";
import { refOf } from "./selector.ts";

/**
 * Who does not reap a zombie, and what would help. A zombie cannot be killed: nothing but its entry is left, and that
 * goes when its parent waits for it (wait(2)), or ends and leaves it to one that does.
 * @returns null for what is no zombie, and for one whose parent is not in the scan
 */
export function zombieParent(pid: number, snapshot: Snapshot): ZombieParent | null {
  const { table, rowByPid, containerOf } = snapshot;
  const row = rowByPid.get(pid);
  if (row === undefined || processState(table.state[row] ?? 0) !== "zombie") return null;
  const parent = rowByPid.get(table.parentPid[row] ?? 0);
  if (parent === undefined) return null;
  const ref = formatRef(refOf(parent, snapshot));
  const name = table.name[parent] ?? "";
  const isInside = containerOf[parent] === containerOf[row] && containerOf[row] !== -1;
  const waits = `it stays until ${name} waits for it (wait(2))`;
  if (isInside && isInit(parent, snapshot)) {
    const hint = `${waits}; ${name} is the container's init: start the container with an init that reaps (docker run --init, tini), or restart it to be rid of it now`;
    return { ref, name, hint };
  }
  if (table.pid[parent] === 1 || (!isInside && containerOf[row] !== -1)) return { ref, name, hint: waits };
  return { ref, name, hint: `${waits} or ends: pidward kill ${ref}` };
}
