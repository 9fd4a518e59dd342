import type { ContainerActions } from "../../containers/runtime.ts";
import { type Container, containerLabel, type Targets } from "../../model.ts";
import { findProgramCommand, type ProgramCommand, quoteCommand } from "../program-commands.ts";
import { type StopTargets, stopGraceSeconds } from "../stop.ts";
import type { StopByCommand } from "../stop-by-command.ts";
import { notRunnable, type RestartDriver } from "./driver.ts";

export interface LabelParts {
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
  readonly stop: StopTargets;
  readonly stopByCommand: StopByCommand;
  /** What of a command line is shown in a plan. */
  readonly showCommand: (argv: readonly string[]) => readonly string[];
}

/**
 * The container's label `pidward.program.NAME.start` has the command that starts the program, run by the engine; that of
 * `pidward.program.NAME.stop`, where there is one, stops it instead of TERM.
 */
export function createLabelDriver(parts: LabelParts): RestartDriver {
  return {
    name: "label",
    byRuntime: true,
    plan: async (targets) => {
      const { container, program } = targets;
      if (container === null || program === null)
        return { reason: "the target is no program of a container" };
      const name = containerLabel(container);
      const starting = findProgramCommand(container, program, "start");
      if (starting === undefined)
        return { reason: `container ${name} has no label pidward.program.${program}.start` };
      if ("reason" in starting) return starting;
      const stopping = findProgramCommand(container, program, "stop");
      if (stopping !== undefined && "reason" in stopping) return stopping;
      if (targets.processes.some((process) => process.init)) {
        return { reason: `${program} is the container's init: stopping it stops the container` };
      }
      const state = notRunnable(container);
      if (state !== undefined) return { reason: state };
      const actions = parts.actionsOf(container);
      if (actions === undefined) return { reason: `no runtime can run commands in ${name}` };
      const { label, argv } = starting.command;
      const show = (command: readonly string[]): string => quoteCommand(parts.showCommand(command));
      const how = stopping === undefined ? "" : ` by ${show(stopping.command.argv)}`;
      const before = targets.processes.length === 0 ? "" : `stop it${how} and `;
      return {
        plan: {
          text: `label ${label} in ${name}: ${before}run ${show(argv)}`,
          warnings: ["output of the start command goes nowhere, not to the container's log"],
          stops: targets.processes,
          run: async (note) => {
            for (const one of await stop(targets, container, stopping?.command, parts)) note(one);
            const request = { argv, env: [], workdir: undefined, user: undefined };
            return { kind: "exec", execIds: [await actions.startDetached(container.id, request)] };
          },
        },
      };
    },
  };
}

/** @returns what there is to say of it */
async function stop(
  targets: Targets,
  container: Container,
  command: ProgramCommand | undefined,
  parts: LabelParts,
): Promise<readonly string[]> {
  const { processes, descendants } = targets;
  if (command === undefined || processes.length === 0) {
    await parts.stop(targets);
    return [];
  }
  const order = { container, command, processes, graceSeconds: stopGraceSeconds };
  const { notes } = await parts.stopByCommand(order);
  // What is left below, as after a stop by signals.
  await parts.stop({ processes: [], descendants });
  return notes;
}
