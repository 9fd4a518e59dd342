import type { SignalOutcome } from "../api.ts";
import type { ContainerActions } from "../containers/runtime.ts";
import { AgentError } from "../errors.ts";
import type { Manager } from "../managers/manager.ts";
import { type Container, containerLabel, formatRef, type Snapshot, type TargetProcess } from "../model.ts";
import { openProcess, waitForExit } from "./process-handle.ts";
import type { SignalParts } from "./signal.ts";

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
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
}

/** Whom to ask for the stop of a process, so that it stays down. */
export interface StopOrder {
  /** `supervisord (4210)`; `docker` for a container's init. */
  readonly by: string;
  /** For the metrics: the manager's kind, or `container`. */
  readonly driver: string;
  readonly target: TargetProcess;
  /** What to know beside: null where there is nothing. */
  readonly warning: string | null;
  /** What two targets of one program have in common: they are stopped together. */
  readonly key: string;
  readonly run: () => Promise<void>;
}

/**
 * Finds whom to ask. Looks and reads, changes nothing.
 * @param graceSeconds of an engine; a manager has its own
 * @throws AgentError `not_found` when no manager is known to run it, `bad_request` for a grace that a manager does not take
 */
export async function planStop(
  target: TargetProcess,
  graceSeconds: number | undefined,
  snapshot: Snapshot,
  parts: StopTargetsParts,
): Promise<StopOrder> {
  const { container } = target;
  if (target.init && container !== null) return planContainerStop(target, container, graceSeconds, parts);
  const what = `${formatRef(target.ref)} (${target.name})`;
  const managed = await parts.findManager(target, snapshot);
  if (managed === undefined) {
    throw new AgentError(
      "not_found",
      `no process manager is known to run ${what}: nobody can be asked to stop it; kill it without "stop"`,
    );
  }
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
    run: () => manager.stop(program),
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
    run: () => actions.stopContainer(container.id, graceSeconds ?? engineGraceSeconds),
  };
}

/**
 * Asks each once, one after the other, and waits for the ends.
 * @param timeoutSeconds for what has not ended when it was said to be stopped
 * @returns an outcome for each order: `exited`, `gone`, or `sent` for what has not ended
 * @throws AgentError as managers and engines do; what was asked before stays stopped
 */
export async function runStops(
  orders: readonly StopOrder[],
  timeoutSeconds: number,
  parts: SignalParts,
): Promise<readonly SignalOutcome[]> {
  const handles = orders.map(({ target }) => openProcess(target.ref, parts));
  try {
    const asked = new Set<string>();
    for (const { key, run } of orders) {
      if (!asked.has(key)) await run();
      asked.add(key);
    }
    return await Promise.all(
      handles.map(async (handle): Promise<SignalOutcome> => {
        if (handle === undefined) return "gone";
        return (await waitForExit(handle, timeoutSeconds * 1000, parts.monotonicMs)) ? "exited" : "sent";
      }),
    );
  } finally {
    for (const handle of handles) handle?.close();
  }
}
