import { isManagerSign } from "../managers/manager-sign.ts";
import { containerLabel, type Snapshot, type TargetProcess } from "../model.ts";

/** Who starts a process again when it ends. */
export interface Respawner {
  /** `supervisord (4210)`; `docker (restart policy always of web)` */
  readonly by: string;
  /** `possible`: it depends on a setting that is not known here, or on how it ends. */
  readonly respawn: "certain" | "possible";
}

/**
 * Process managers, by `comm`, that start a child again when it ends. Those of s6 and runit always do while the service
 * is meant to be up; the others have it in their configuration (supervisord: `autorestart`; systemd: `Restart=`).
 */
const managers: ReadonlyMap<string, Respawner["respawn"]> = new Map([
  ["supervisord", "possible"],
  ["s6-supervise", "certain"],
  ["runsv", "certain"],
  ["systemd", "possible"],
  ["monit", "possible"],
  ["circusd", "possible"],
]);

/** Restart policies of the engine under which a container whose init ends is started again. */
const policies: ReadonlyMap<string, Respawner["respawn"]> = new Map([
  ["always", "certain"],
  ["unless-stopped", "certain"],
  // Only when the exit code is not 0, and not more often than its limit.
  ["on-failure", "possible"],
]);

/**
 * Who will start the process again when it ends, as far as is known: a process manager right above it in its
 * container, or the engine for a container's init. A label's start command does so only when it is asked to. Null:
 * nobody that is known.
 */
export function respawner(target: TargetProcess, snapshot: Snapshot): Respawner | null {
  const { container } = target;
  if (container === null) return null;
  if (target.init) {
    const respawn = policies.get(container.restartPolicy ?? "");
    const policy = `restart policy ${container.restartPolicy} of ${containerLabel(container)}`;
    return respawn === undefined ? null : { by: `${container.runtime} (${policy})`, respawn };
  }
  const parent = snapshot.rowByPid.get(target.parentPid);
  if (
    parent === undefined ||
    snapshot.containerOf[parent] !== snapshot.containerOf[snapshot.rowByPid.get(target.ref.pid) ?? -1]
  ) {
    return null;
  }
  const comm = snapshot.table.name[parent] ?? "";
  // Where the image starts it by its interpreter, that is what the kernel calls it.
  const isSupervisord =
    comm.startsWith("python") && isManagerSign(comm, snapshot.table.command[parent] ?? null);
  const name = isSupervisord ? "supervisord" : comm;
  const respawn = managers.get(name);
  return respawn === undefined ? null : { by: `${name} (${target.parentPid})`, respawn };
}
