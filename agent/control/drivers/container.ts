import type { ContainerActions } from "../../containers/runtime.ts";
import { type Container, containerLabel } from "../../model.ts";
import type { RestartDriver } from "./driver.ts";

/** As `docker restart` has it. */
const graceSeconds = 10;

export interface ContainerDriverParts {
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
}

/** The engine restarts the whole container, when that or its init is the target. */
export function createContainerDriver(parts: ContainerDriverParts): RestartDriver {
  return {
    name: "container",
    byRuntime: true,
    plan: async (targets) => {
      const { container } = targets;
      if (container === null) return { reason: "the target belongs to no container" };
      const name = containerLabel(container);
      if (targets.kind !== "container" && !targets.processes.some((process) => process.init)) {
        return { reason: `the target is not the init of ${name}` };
      }
      if (container.state === "paused") return { reason: `${name} is paused; unpause it first` };
      const actions = parts.actionsOf(container);
      if (actions === undefined) return { reason: `no runtime that answers can restart ${name}` };
      const runs = container.state === "running" || container.state === "restarting";
      return {
        plan: {
          text: `${container.runtime}: ${runs ? `stop and start container ${name}` : `start container ${name}, which is ${container.state}`}`,
          warnings: runs ? [`every process of ${name} ends`] : [],
          stops: targets.processes,
          run: async () => {
            await actions.restartContainer(container.id, graceSeconds);
            return { kind: "container", containerId: container.id, oldInitPid: container.initPid };
          },
        },
      };
    },
  };
}
