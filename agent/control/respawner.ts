import { containerLabel, type Snapshot, type TargetProcess } from "../model.ts";

/** Process managers, by `comm`, that start a child again when it ends. */
const managers: ReadonlySet<string> = new Set([
  "supervisord",
  "s6-supervise",
  "runsv",
  "systemd",
  "monit",
  "circusd",
]);

/** Restart policies of the engine under which a container whose init ends is started again. */
const policies: ReadonlySet<string> = new Set(["always", "unless-stopped", "on-failure"]);

/**
 * What will start the process again when it ends, as far as is known: a process manager above it in its container,
 * or the engine for a container's init. Null: nothing that is known.
 */
export function respawner(target: TargetProcess, snapshot: Snapshot): string | null {
  const { container } = target;
  if (container === null) return null;
  if (target.init) {
    const policy = container.restartPolicy;
    return policy !== null && policies.has(policy)
      ? `${container.runtime} (restart policy ${policy} of ${containerLabel(container)})`
      : null;
  }
  const parent = snapshot.rowByPid.get(target.parentPid);
  if (
    parent === undefined ||
    snapshot.containerOf[parent] !== snapshot.containerOf[snapshot.rowByPid.get(target.ref.pid) ?? -1]
  ) {
    return null;
  }
  const name = snapshot.table.name[parent] ?? "";
  return managers.has(name) ? `${name} (${target.parentPid})` : null;
}
