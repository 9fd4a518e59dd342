import type { ContainerActions, ExecRequest } from "../../containers/runtime.ts";
import type { Container } from "../../model.ts";
import { type Captured, type CaptureParts, captureProcess, describeCaptured } from "../capture.ts";
import { describeLosses, type TraitReaders } from "../losses.ts";
import type { StopTargets } from "../stop.ts";
import { findRespawnPlace, type RestartDriver } from "./driver.ts";

export interface RespawnParts extends CaptureParts, Omit<TraitReaders, "readIds"> {
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
  readonly stop: StopTargets;
  /** What of a command line is shown in a plan. */
  readonly showCommand: (argv: readonly string[]) => readonly string[];
}

/**
 * Starts the like of the old process inside its container by the engine's exec: argv, environment, working directory,
 * user and groups, captured before it is stopped. Never /proc/PID/exe: in a multi-call binary the name decides.
 */
export function createRespawnDriver(parts: RespawnParts): RestartDriver {
  return {
    name: "respawn",
    byRuntime: true,
    plan: async (targets) => {
      const place = findRespawnPlace(targets);
      if ("reason" in place) return place;
      const { container, name } = place;
      const actions = parts.actionsOf(container);
      if (actions === undefined) return { reason: `no runtime that answers can run commands in ${name}` };
      const captures = targets.processes.map((process) => captureProcess(process, container, parts));
      const doubts = captures.flatMap((capture) => ("reason" in capture ? [capture.reason] : []));
      if (doubts.length > 0) return { reason: doubts.join("; ") };
      const captured = captures.flatMap((capture) => ("captured" in capture ? [capture.captured] : []));
      return {
        plan: {
          text: `respawn in ${name}: ${captured.map((one) => describeCaptured(one, parts.showCommand)).join("; ")}`,
          warnings: [
            ...new Set([...lost, ...captured.flatMap((one) => one.warnings)]),
            ...describeLosses(targets.processes, container, parts),
          ],
          stops: targets.processes,
          run: async () => {
            await parts.stop(targets);
            const execIds: string[] = [];
            for (const one of captured)
              execIds.push(await actions.startDetached(container.id, toRequest(one)));
            return { kind: "exec", execIds };
          },
        },
      };
    },
  };
}

const lost = [
  "stdout and stderr of the new process go nowhere, not to the container's log",
  "parent, session, priority, changed limits and extra capabilities are not carried over",
] as const;

function toRequest(captured: Captured): ExecRequest {
  return { argv: captured.argv, env: captured.env, workdir: captured.workdir, user: captured.user };
}
