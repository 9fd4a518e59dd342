import { parseArgsStringToArgv } from "string-argv";
import type { ContainerActions } from "../../containers/runtime.ts";
import { type Container, containerLabel, type Targets } from "../../model.ts";
import type { StopTargets } from "../stop.ts";
import { notRunnable, type RestartDriver } from "./driver.ts";

export interface LabelParts {
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
  readonly stop: StopTargets;
}

/** The container's label `pidward.program.NAME.start` has the command that starts the program, run by the engine. */
export function createLabelDriver(parts: LabelParts): RestartDriver {
  return {
    name: "label",
    byRuntime: true,
    plan: async (targets) => {
      const { container, program } = targets;
      if (container === null || program === null)
        return { reason: "the target is no program of a container" };
      const label = `pidward.program.${program}.start`;
      const command = container.labels[label];
      if (command === undefined)
        return { reason: `container ${containerLabel(container)} has no label ${label}` };
      const argv = readCommand(command);
      if (argv === undefined)
        return { reason: `label ${label} is neither a command line nor a JSON array of strings` };
      if (targets.processes.some((process) => process.init)) {
        return { reason: `${program} is the container's init: stopping it stops the container` };
      }
      const state = notRunnable(container);
      if (state !== undefined) return { reason: state };
      const actions = parts.actionsOf(container);
      if (actions === undefined)
        return { reason: `no runtime can run commands in ${containerLabel(container)}` };
      const before = targets.processes.length === 0 ? "" : "stop it and ";
      return {
        plan: {
          text: `label ${label} in ${containerLabel(container)}: ${before}run ${JSON.stringify(argv)}`,
          warnings: ["output of the start command goes nowhere, not to the container's log"],
          stops: targets.processes,
          run: async () => {
            await parts.stop(targets satisfies Targets);
            const request = { argv, env: [], workdir: undefined, user: undefined };
            return { kind: "exec", execIds: [await actions.startDetached(container.id, request)] };
          },
        },
      };
    },
  };
}

/** A JSON array of strings, or a command line with quotes; no shell sees it. */
function readCommand(text: string): readonly string[] | undefined {
  if (!text.trimStart().startsWith("[")) {
    const argv = parseArgsStringToArgv(text);
    return argv.length === 0 ? undefined : argv;
  }
  try {
    const value: unknown = JSON.parse(text);
    const isArgv = Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string");
    return isArgv ? value : undefined;
  } catch {
    return undefined;
  }
}
