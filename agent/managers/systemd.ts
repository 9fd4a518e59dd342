import { parseCgroupLines, parseCgroupPath } from "../containers/cgroup-path.ts";
import { AgentError } from "../errors.ts";
import { type Container, containerLabel, type ProcessRef } from "../model.ts";
import { readChildPids } from "./child-pids.ts";
import {
  byName,
  type InsideProcess,
  type ManagedProgram,
  type Manager,
  type ManagerFinder,
  type ManagerParts,
} from "./manager.ts";
import { plainText } from "./plain-text.ts";
import { isUnitName, parseUnits, shownProperties, toManagedProgram, type Unit } from "./systemd-units.ts";
import { unknownProgram } from "./unknown-program.ts";

/** systemd as a container's init, by its own systemctl(1), which is run inside by the container's runtime. */
export function createSystemdFinder(parts: ManagerParts): ManagerFinder {
  return {
    kind: "systemd",
    find: (container, processes) =>
      processes.filter(isInit).map((process) => createManager(container, process.ref, parts)),
    // What a user's own manager runs has that for a parent.
    nameOf: (process, parent) =>
      parent !== undefined && isInit(parent) ? unitOf(process.cgroup) : undefined,
  };
}

const isInit = ({ name, containerPid }: InsideProcess): boolean => name === "systemd" && containerPid === 1;

/** The service in whose cgroup below the container's a process is. */
function unitOf(cgroup: string): string | undefined {
  const lines = parseCgroupLines(cgroup).filter(
    ({ controllers }) => controllers.length === 0 || controllers.includes("name=systemd"),
  );
  return lines
    .map(({ path }) => parseCgroupPath(path)?.unit ?? "")
    .map((unit) => unit.replace(/^_/, ""))
    .find(isUnitName);
}

function createManager(container: Container, ref: ProcessRef, parts: ManagerParts): Manager {
  const label = `systemd in ${containerLabel(container)}`;
  const run = async (...argv: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await parts.runInside(container, ["systemctl", ...argv]);
    if (exitCode === 0) return stdout;
    const told = plainText(stderr === "" ? stdout : stderr, 500);
    throw new AgentError(
      "failed",
      `${label}: systemctl ${argv.join(" ")} exited with code ${exitCode}: ${told}`,
    );
  };
  const show = async (pattern: string): Promise<readonly Unit[]> =>
    // Without --all, a pattern leaves out what is off.
    parseUnits(
      await run("show", "--all", "--no-pager", `--property=${shownProperties.join(",")}`, "--", pattern),
    );
  const find = async (program: string): Promise<Unit> => {
    const [unit] = isUnitName(program) ? await show(program) : [];
    if (unit?.loadState === "loaded" && unit.id === program) return unit;
    throw unknownProgram(
      label,
      program,
      (await list()).map(({ name }) => name),
    );
  };
  const list = async (): Promise<readonly ManagedProgram[]> => {
    const units = await show("*.service");
    const hostPids = readChildPids(parts.procRoot, ref.pid);
    return units
      .filter(isOfUse)
      .map((unit) => toManagedProgram(unit, hostPids))
      .sort(byName);
  };
  const act = async (verb: "restart" | "stop", program: string): Promise<void> => {
    await find(program);
    await run(verb, "--", program);
    const { condition, state, remark } = toManagedProgram(await find(program), new Map());
    const isThere = verb === "restart" ? condition !== "failed" : condition !== "running";
    const why = remark === null ? "" : `: ${remark}`;
    if (!isThere)
      throw new AgentError(
        "failed",
        `${label} was told to ${verb} ${JSON.stringify(program)}, and it is ${state}${why}`,
      );
  };
  return {
    kind: "systemd",
    ref,
    list,
    restart: (program) => act("restart", program),
    stop: (program) => act("stop", program),
    describeRestart: (program) => `${label}: systemctl restart -- ${program}`,
  };
}

/** Dozens of units wait for something that never comes in a container: one that is off counts when it is meant to be on. */
function isOfUse({ loadState, activeState, fileState }: Unit): boolean {
  return loadState === "loaded" && (activeState !== "inactive" || fileState.startsWith("enabled"));
}
