import { setTimeout as delay } from "node:timers/promises";
import type { DriverName, RestartAnswer, RestartOutlook } from "../api.ts";
import { AgentError, reasonOf } from "../errors.ts";
import { type Container, containerLabel, formatRef, type TargetProcess, type Targets } from "../model.ts";
import { type ContainerChange, ContainerChanged, changeIfKnown } from "./container-change.ts";
import type { RestartDriver, RestartPlan } from "./drivers/driver.ts";
import { type SettleParts, settle } from "./settle.ts";

export const defaultSettleSeconds = 2;
/** How long an engine is asked what became of a container without processes. */
const endLimitMs = 2_000;

export interface ChosenPlan {
  readonly driver: DriverName;
  readonly plan: RestartPlan;
}

/** Says why the runtime cannot act on a container now; undefined: it answers. */
export type RuntimeObstacle = (container: Container) => Promise<string | undefined>;

/**
 * The plan of the first driver that has one, in the given order, or of the named one.
 * @param obstacle asked before a plan that is carried out by the runtime is taken: what it stopped would stay down
 * @throws AgentError `not_restartable` with every driver's reason, `unavailable` when only the runtime is missing
 */
export async function choosePlan(
  targets: Targets,
  drivers: readonly RestartDriver[],
  wanted: DriverName | undefined,
  obstacle: RuntimeObstacle = async () => undefined,
): Promise<ChosenPlan> {
  const reasons: string[] = [];
  let isRuntimeMissing = false;
  for (const driver of drivers) {
    if (wanted !== undefined && driver.name !== wanted) continue;
    const planning = await driver.plan(targets);
    const isByRuntime = "plan" in planning && driver.byRuntime === true && targets.container !== null;
    const away = isByRuntime ? await obstacle(targets.container) : undefined;
    if ("plan" in planning && away === undefined) return { driver: driver.name, plan: planning.plan };
    if (away !== undefined) isRuntimeMissing = true;
    reasons.push(`${driver.name}: ${"plan" in planning ? away : planning.reason}`);
  }
  throw new AgentError(
    isRuntimeMissing ? "unavailable" : "not_restartable",
    `${targets.selector} cannot be restarted: ${reasons.join("; ")}`,
    { details: { reasons } },
  );
}

/** An obstacle is that the runtime does not answer, or does not know the container any more. */
export function runtimeObstacle(parts: Pick<SettleParts, "inspect">): RuntimeObstacle {
  return async (container) => {
    try {
      const now = await parts.inspect(container);
      return now === undefined
        ? `the runtime does not know ${containerLabel(container)} any more`
        : undefined;
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "unavailable") throw error;
      return error.message;
    }
  };
}

/** What a restart would do, in words, without side effects and without failing. */
export async function describeOutlook(
  targets: Targets,
  drivers: readonly RestartDriver[],
): Promise<RestartOutlook> {
  try {
    const { driver, plan } = await choosePlan(targets, drivers, undefined);
    return { driver, plan: plan.text };
  } catch (error) {
    return { driver: null, plan: reasonOf(error) };
  }
}

/**
 * Carries out a plan and waits until the new process has settled.
 * @throws AgentError `failed` with what is running in the container now
 */
export async function carryOut(
  chosen: ChosenPlan,
  targets: Targets,
  settleSeconds: number,
  parts: SettleParts,
): Promise<RestartAnswer> {
  const { container } = targets;
  if (container === null)
    throw new AgentError("not_restartable", `${targets.selector} belongs to no container`);
  const began = parts.monotonicMs();
  const old = chosen.plan.stops.map((process) => formatRef(process.ref));
  const before = new Set((await parts.processesOf(container.id)).map((process) => formatRef(process.ref)));
  const notes: string[] = [];
  try {
    const started = await chosen.plan.run((text) => notes.push(text));
    const fresh = await settle(
      started,
      { container, program: targets.program, before, settleSeconds },
      parts,
    );
    return {
      action: "restart",
      driver: chosen.driver,
      plan: chosen.plan.text,
      warnings: [...chosen.plan.warnings, ...notes],
      dryRun: false,
      old,
      new: fresh,
      seconds: Math.round((parts.monotonicMs() - began) / 100) / 10,
    };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const told = new AgentError(error.code, [error.message, ...notes].join("; "), { cause: error });
    throw await describeFailure(told, chosen, targets, container, parts);
  }
}

async function describeFailure(
  error: AgentError,
  chosen: ChosenPlan,
  targets: Targets,
  container: Container,
  parts: SettleParts,
): Promise<AgentError> {
  const name = containerLabel(container);
  const known = error instanceof ContainerChanged;
  const running = await nowRunning(container, parts);
  const change = known ? error.change : await changeSince(container, running.length === 0, parts);
  // That it ends and begins anew is what its own restart is.
  const isNews = chosen.driver !== "container" || change?.kind === "removed" || change?.kind === "paused";
  const why = change === undefined || known || !isNews ? "" : `: ${change.text}`;
  const verb = change?.kind === "paused" ? "frozen" : "running";
  const left =
    running.length === 0 ? `nothing runs in ${name} now` : `${verb} in ${name} now: ${running.join(", ")}`;
  return new AgentError(
    "failed",
    `restart of ${targets.selector} by ${chosen.driver} failed: ${error.message}${why}; ${left}`,
    {
      details: { driver: chosen.driver, old: chosen.plan.stops.map((one) => formatRef(one.ref)), running },
      cause: error,
    },
  );
}

/** The engine hears of the end of a container a moment after its processes are gone. */
async function changeSince(
  container: Container,
  isEmpty: boolean,
  parts: SettleParts,
): Promise<ContainerChange | undefined> {
  const deadline = parts.monotonicMs() + (isEmpty && container.known ? endLimitMs : 0);
  for (;;) {
    const change = await changeIfKnown(container, parts);
    if (change !== undefined || parts.monotonicMs() >= deadline) return change;
    await delay(100);
  }
}

async function nowRunning(container: Container, parts: SettleParts): Promise<readonly string[]> {
  try {
    return (await parts.processesOf(container.id)).map(describeProcess);
  } catch (error) {
    return [`unknown (${reasonOf(error)})`];
  }
}

function describeProcess(process: TargetProcess): string {
  return `${formatRef(process.ref)} ${process.name}`;
}
