import { formatRef, type TargetProcess, type Targets } from "../model.ts";
import { type SignalParts, sendSignals } from "./signal.ts";

/** How long a process may take to end by TERM before it gets KILL, as `docker stop` has it. */
export const stopGraceSeconds = 10;
/** What outlives its parent is given this long, and then stopped too: it would hold ports and files. */
const leftoverGraceSeconds = 3;

/** Stops one process: the parent first, since it may start its children again; then what is left below it. */
export type StopTargets = (targets: Pick<Targets, "processes" | "descendants">) => Promise<readonly string[]>;

/** @returns a function that stops targets and gives the refs of those that were still there */
export function createStop(parts: SignalParts): StopTargets {
  const stop = async (
    targets: readonly TargetProcess[],
    graceSeconds: number,
  ): Promise<readonly string[]> => {
    const outcomes = await sendSignals(
      { targets, signal: { name: "SIGTERM", number: 15 }, graceSeconds },
      parts,
    );
    return targets.filter((_, index) => outcomes[index] !== "gone").map((target) => formatRef(target.ref));
  };
  return async ({ processes, descendants }) => {
    const stopped = await stop(processes, stopGraceSeconds);
    return [...stopped, ...(await stop(descendants, leftoverGraceSeconds))];
  };
}
