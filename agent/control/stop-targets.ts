import type { SignalOutcome } from "../api.ts";
import type { ContainerActions } from "../containers/runtime.ts";
import { AgentError } from "../errors.ts";
import type { Manager } from "../managers/manager.ts";
import {
  type Container,
  containerLabel,
  formatRef,
  processState,
  type Snapshot,
  type TargetProcess,
} from "../model.ts";
import { notRunnable } from "./drivers/driver.ts";
import { openProcess, type ProcessHandle, waitForExit } from "./process-handle.ts";
import { findProgramCommand } from "./program-commands.ts";
import type { SignalParts } from "./signal.ts";
import { stopGraceSeconds } from "./stop.ts";
import type { StopByCommand, StoppedByCommand } from "./stop-by-command.ts";

/** As `docker stop` has it. */
const engineGraceSeconds = 10;

/** The process manager that runs a process, and the program that the process is the main one of. */
export interface Managed {
  readonly manager: Manager;
  readonly program: string;
}

/** Undefined: no manager is known to run it. @throws AgentError `unavailable` when a manager does not answer */
export type FindManager = (target: TargetProcess, snapshot: Snapshot) => Promise<Managed | undefined>;

export interface StopTargetsParts extends SignalParts {
  readonly findManager: FindManager;
  readonly stopByCommand: StopByCommand;
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
}

/** Whom to ask for the stop of a process, so that it stays down. */
export interface StopOrder {
  /** `supervisord (4210)`; `label pidward.program.web.stop`; `docker` for a container's init. */
  readonly by: string;
  /** For the metrics: the manager's kind, `label` or `container`. */
  readonly driver: string;
  readonly target: TargetProcess;
  /** What to know beside: null where there is nothing. */
  readonly warning: string | null;
  /** What two targets of one program have in common: they are stopped together. */
  readonly key: string;
  /** @param targets all of this key; @returns what a command did, where one is run */
  readonly run: (targets: readonly TargetProcess[]) => Promise<StoppedByCommand | undefined>;
}

/**
 * Finds whom to ask: the engine for a container's init, the manager that runs it, the stop command of its program's label.
 * Looks and reads, changes nothing.
 * @param all that are to be stopped, the target among them
 * @param graceSeconds of an engine or a command; a manager has its own
 * @throws AgentError `not_found` when nobody can be asked, `ambiguous` when a command would stop others too,
 *   `not_running` for a command in a paused container, `bad_request` for a grace that a manager does not take
 */
export async function planStop(
  target: TargetProcess,
  all: readonly TargetProcess[],
  graceSeconds: number | undefined,
  snapshot: Snapshot,
  parts: StopTargetsParts,
): Promise<StopOrder> {
  const { container } = target;
  if (target.init && container !== null) return planContainerStop(target, container, graceSeconds, parts);
  const managed = await parts.findManager(target, snapshot);
  if (managed === undefined) return planCommandStop(target, all, graceSeconds, snapshot, parts);
  const { manager, program } = managed;
  const by = `${manager.kind} (${manager.ref.pid})`;
  if (graceSeconds !== undefined)
    throw new AgentError("bad_request", `a grace cannot be given to ${by}: it has its own for ${program}`);
  return {
    by,
    driver: manager.kind,
    target,
    warning: null,
    key: `${formatRef(manager.ref)} ${program}`,
    run: async () => {
      await manager.stop(program);
      return undefined;
    },
  };
}

function planContainerStop(
  target: TargetProcess,
  container: Container,
  graceSeconds: number | undefined,
  parts: StopTargetsParts,
): StopOrder {
  const name = containerLabel(container);
  const actions = parts.actionsOf(container);
  if (actions === undefined) throw new AgentError("unavailable", `no runtime can stop container ${name}`);
  return {
    by: container.runtime ?? "the runtime",
    driver: "container",
    target,
    warning:
      container.restartPolicy === "always"
        ? `${name} has restart policy always: it stays down until the engine itself is restarted`
        : null,
    key: container.id,
    run: async () => {
      await actions.stopContainer(container.id, graceSeconds ?? engineGraceSeconds);
      return undefined;
    },
  };
}

function planCommandStop(
  target: TargetProcess,
  all: readonly TargetProcess[],
  graceSeconds = stopGraceSeconds,
  snapshot: Snapshot,
  { stopByCommand }: StopTargetsParts,
): StopOrder {
  const { container, program } = target;
  const what = `${formatRef(target.ref)} (${target.name})`;
  const found = container === null ? undefined : findProgramCommand(container, program, "stop");
  if (container === null || found === undefined || "reason" in found) {
    const why =
      found !== undefined && "reason" in found ? found.reason : "no label has a stop command for it";
    throw new AgentError(
      "not_found",
      `no process manager is known to run ${what}, and ${why}: nobody can be asked to stop it; kill it without "stop"`,
    );
  }
  const state = notRunnable(container);
  if (state !== undefined) throw new AgentError("not_running", state);
  const { command } = found;
  const refs = new Set(all.map(({ ref }) => formatRef(ref)));
  const others = firstOfProgram(target, snapshot).filter((one) => !refs.has(one));
  if (others.length > 0) {
    throw new AgentError(
      "ambiguous",
      `label ${command.label} stops all of ${program}: ${[...others].join(", ")} too; name the program and ask for all (--all)`,
      { details: { candidates: others } },
    );
  }
  return {
    by: `label ${command.label}`,
    driver: "label",
    target,
    warning: null,
    key: `${container.id} ${command.label}`,
    run: (processes) => stopByCommand({ container, command, processes, graceSeconds }),
  };
}

/** Refs of the processes of the target's program that live and are below none of its others. */
function firstOfProgram({ ref }: TargetProcess, snapshot: Snapshot): readonly string[] {
  const { table, rowByPid, programOf, containers, containerOf } = snapshot;
  const own = rowByPid.get(ref.pid) ?? -1;
  const initPid = containers[containerOf[own] ?? -1]?.initPid;
  const isOfProgram = (row: number | undefined): boolean =>
    row !== undefined && programOf[row] === programOf[own] && table.pid[row] !== initPid;
  const found: string[] = [];
  for (let row = 0; row < table.length; row++) {
    if (!isOfProgram(row) || isOfProgram(rowByPid.get(table.parentPid[row] ?? 0))) continue;
    if (processState(table.state[row] ?? 0) === "zombie") continue;
    found.push(formatRef({ pid: table.pid[row] ?? 0, startTicks: table.startTicks[row] ?? 0 }));
  }
  return found;
}

/** How stopping went. */
export interface Stops {
  /** One for each order: `exited`, `killed`, `gone`, or `sent` for what has not ended. */
  readonly outcomes: readonly SignalOutcome[];
  readonly notes: readonly string[];
}

/**
 * Asks each once, one after the other, and waits for the ends.
 * @param timeoutSeconds for what has not ended when it was said to be stopped
 * @throws AgentError as managers and engines do; what was asked before stays stopped
 */
export async function runStops(
  orders: readonly StopOrder[],
  timeoutSeconds: number,
  parts: SignalParts,
): Promise<Stops> {
  const handles = orders.map(({ target }) => openProcess(target.ref, parts));
  try {
    const asked = new Set<string>();
    const killed = new Set<string>();
    const notes: string[] = [];
    for (const { key, run } of orders) {
      if (asked.has(key)) continue;
      asked.add(key);
      const stopped = await run(orders.filter((one) => one.key === key).map(({ target }) => target));
      for (const ref of stopped?.killed ?? []) killed.add(ref);
      notes.push(...(stopped?.notes ?? []));
    }
    const outcomeOf = async (handle: ProcessHandle | undefined, ref: string): Promise<SignalOutcome> => {
      if (handle === undefined) return "gone";
      if (!(await waitForExit(handle, timeoutSeconds * 1000, parts.monotonicMs))) return "sent";
      return killed.has(ref) ? "killed" : "exited";
    };
    const outcomes = await Promise.all(
      orders.map(({ target }, index) => outcomeOf(handles[index], formatRef(target.ref))),
    );
    return { outcomes, notes };
  } finally {
    for (const handle of handles) handle?.close();
  }
}
