import { type Container, containerLabel, type ProcessRef } from "../model.ts";
import { readChildPids } from "./child-pids.ts";
import {
  byName,
  type InsideProcess,
  type Manager,
  type ManagerFinder,
  type ManagerParts,
} from "./manager.ts";
import { createSupervisorCalls } from "./supervisor-calls.ts";
import { createSupervisorControl } from "./supervisor-control.ts";
import { toManagedProgram } from "./supervisor-programs.ts";
import { readSupervisordCommand, type SupervisordCommand } from "./supervisord-command.ts";
import { unknownProgram } from "./unknown-program.ts";

/** supervisord (http://supervisord.org/api.html), spoken to over its own XML-RPC server from outside the container. */
export function createSupervisordFinder(parts: ManagerParts): ManagerFinder {
  return {
    kind: "supervisord",
    find: (container, processes) =>
      processes.flatMap((process) => {
        const command = readSupervisordCommand(process);
        return command === undefined || isFork(process, processes)
          ? []
          : [createManager(container, process.ref, command, parts)];
      }),
    nameOf: () => undefined,
  };
}

/** A child between fork and exec looks like its parent. */
function isFork(process: InsideProcess, processes: readonly InsideProcess[]): boolean {
  const parent = processes.find((other) => other.ref.pid === process.parentPid);
  return (
    parent !== undefined &&
    readSupervisordCommand(parent) !== undefined &&
    JSON.stringify(parent.command) === JSON.stringify(process.command)
  );
}

function createManager(
  container: Container,
  ref: ProcessRef,
  command: SupervisordCommand,
  parts: ManagerParts,
): Manager {
  const label = `supervisord in ${containerLabel(container)}`;
  const calls = createSupervisorCalls({ ref, command, label }, parts);
  const control = createSupervisorControl(calls, label, parts.monotonicMs);
  const requireProgram = async (program: string): Promise<void> => {
    const names = (await control.programs()).map((one) => one.name);
    if (!names.includes(program)) throw unknownProgram(label, program, names);
  };
  return {
    kind: "supervisord",
    ref,
    list: async () => {
      const programs = await control.programs();
      const hostPids = readChildPids(parts.procRoot, ref.pid);
      return programs.map((program) => toManagedProgram(program, hostPids)).sort(byName);
    },
    restart: async (program) => {
      await requireProgram(program);
      const waits = await control.waitsOf(program);
      await control.stop(program, waits);
      await control.start(program, waits);
    },
    stop: async (program) => {
      await requireProgram(program);
      await control.stop(program, await control.waitsOf(program));
    },
    describeRestart: (program) => `${label}: stop and start program ${JSON.stringify(program)}`,
  };
}
