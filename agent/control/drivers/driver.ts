import type { DriverName } from "../../api.ts";
import { type Container, containerLabel, type TargetProcess, type Targets } from "../../model.ts";

/** One way to restart. */
export interface RestartDriver {
  readonly name: DriverName;
  /** Its plans are carried out by the container's runtime: it has none while that does not answer. */
  readonly byRuntime?: true;
  /** Looks and reads, changes nothing. */
  plan(targets: Targets): Promise<Planning>;
}

/** A plan, or the reason in words why this driver has none for the target. */
export type Planning = { readonly plan: RestartPlan } | { readonly reason: string };

export interface RestartPlan {
  /** One sentence for people: what would be done, where. */
  readonly text: string;
  /** What the new process will not have of the old one, and other doubts. */
  readonly warnings: readonly string[];
  /** What is stopped before the start; of a container its init stands for all. */
  readonly stops: readonly TargetProcess[];
  /**
   * Stops the old and starts the new.
   * @param note is told what went otherwise than planned, for the answer and for the message of a failure
   * @throws AgentError when a step fails
   */
  run(note: (text: string) => void): Promise<Started>;
}

/** By what the new processes are recognised. */
export type Started =
  | { readonly kind: "exec"; readonly execIds: readonly string[] }
  /** Host PIDs of the new main processes, asked for after the start. */
  | { readonly kind: "processes"; readonly pids: () => Promise<readonly number[]> }
  | { readonly kind: "container"; readonly containerId: string; readonly oldInitPid: number | null };

/** Why nothing can be run inside a container in the state that it is in; undefined: it can. */
export function notRunnable(container: Container): string | undefined {
  const name = containerLabel(container);
  if (container.state === "paused") return `${name} is paused; unpause it first`;
  return container.state === "running" ? undefined : `${name} does not run: it is ${container.state}`;
}

/**
 * What every driver needs that starts the like of the old processes in their container.
 * @returns that container, or the reason in words why there is no such start
 */
export function findRespawnPlace(
  targets: Targets,
): { readonly container: Container; readonly name: string } | { readonly reason: string } {
  const { container } = targets;
  if (container === null) return { reason: "the target belongs to no container" };
  const name = containerLabel(container);
  if (targets.processes.length === 0)
    return { reason: `there is no process of ${targets.selector} to take after` };
  const state = notRunnable(container);
  if (state !== undefined) return { reason: state };
  if (targets.processes.some((process) => process.init))
    return { reason: `the target is the init of ${name}: stopping it stops the container` };
  return { container, name };
}
