import { isAbove } from "../ancestors.ts";
import { type Container, containerLabel, formatRef, type Snapshot, type TargetProcess } from "../model.ts";
import { containersAround, type NestingOf, refuseUnclearOwner } from "./nesting.ts";
import { containerProtection, processProtection } from "./protection.ts";

/** What the guard knows of itself and its surroundings. */
export interface GuardParts {
  /** The agent's own PID in the host's PID namespace. */
  readonly agentPid: number;
  readonly allowHost: boolean;
  readonly readOnly: boolean;
  readonly nestingOf: NestingOf;
}

/** Refuses targets that must never be touched. It looks at values only; races are the signal's to close. */
export interface Guard {
  /** Why nothing may be done at all; undefined: acting is allowed. */
  refuseAll(): string | undefined;
  /** The reason in words why nothing may be done to the container as a whole or run in it; undefined: it may. */
  refuseContainer(container: Container): string | undefined;
  /** The reason in words why this process must not be acted upon; undefined: it may. */
  refuse(target: TargetProcess, snapshot: Snapshot): string | undefined;
}

/** Engines, their shims and monitors: when they die, containers die or cannot be managed any more. `comm` is at most
 * 15 characters long. Only processes of the host are compared: in a container the names mean nothing. */
const runtimeNames: ReadonlySet<string> = new Set([
  "dockerd",
  "containerd",
  "containerd-shim",
  "docker-proxy",
  "docker-init",
  "podman",
  "conmon",
  "crio",
  "runc",
  "crun",
  "kubelet",
  "lxc-monitord",
  "lxc-start",
  "systemd-nspawn",
]);

export function createGuard(parts: GuardParts): Guard {
  const refuseAll = (): string | undefined =>
    parts.readOnly ? "the agent is read-only (--control.read-only)" : undefined;
  return {
    refuseAll,
    refuseContainer: (container) => {
      const all = refuseAll();
      if (all !== undefined) return all;
      if (!container.known)
        return `${containerLabel(container)} looks like a container, but no runtime knows that id`;
      return containerProtection(container);
    },
    refuse: (target, snapshot) => {
      const what = `${formatRef(target.ref)} (${target.name})`;
      if (target.ref.pid === 1) return `${what} is the host's PID 1`;
      if (target.kernelThread) return `${what} is a kernel thread`;
      if (target.ref.pid === parts.agentPid) return `${what} is pidward itself`;
      if (isAbove(target.ref.pid, parts.agentPid, snapshot)) return `${what} is an ancestor of pidward`;
      const shimOf = keptContainer(target.ref.pid, snapshot);
      if (shimOf !== undefined)
        return `${what} is the runtime's process that keeps container ${containerLabel(shimOf)}`;
      if (target.container === null) {
        if (runtimeNames.has(target.name)) return `${what} is a container runtime or its shim`;
        if (!parts.allowHost) return `${what} belongs to no container; --control.allow-host would allow it`;
        return undefined;
      }
      if (target.authority === null) {
        return `${what} looks like a process of container ${containerLabel(target.container)}, but no runtime knows that id`;
      }
      const unclear = refuseUnclearOwner(target, snapshot, parts.nestingOf);
      if (unclear !== undefined) return `${what} ${unclear}`;
      const around = containersAround(target, snapshot, parts.nestingOf);
      const kept = processProtection(target, around, snapshot);
      return kept === undefined ? undefined : `${what}: ${kept}`;
    },
  };
}

/** The container whose first process is this PID's child while the PID itself is outside: a shim or a monitor. */
function keptContainer(pid: number, snapshot: Snapshot): Container | undefined {
  const own = snapshot.containerOf[snapshot.rowByPid.get(pid) ?? -1];
  return snapshot.containers.find((container, index) => {
    if (container.initPid === null || own === index) return false;
    const row = snapshot.rowByPid.get(container.initPid);
    return row !== undefined && snapshot.table.parentPid[row] === pid;
  });
}
