import type { DriverName, RestartAnswer, RestartOutlook } from "../api.ts";
import { AgentError, reasonOf } from "../errors.ts";
import { type Container, containerLabel, formatRef, type TargetProcess, type Targets } from "../model.ts";
import type { RestartDriver, RestartPlan } from "./drivers/driver.ts";
import { type SettleParts, settle } from "./settle.ts";

export const defaultSettleSeconds = 2;

export interface ChosenPlan {
  readonly driver: DriverName;
  readonly plan: RestartPlan;
}

/**
 * The plan of the first driver that has one, in the given order, or of the named one.
 * @throws AgentError `not_restartable` with every driver's reason
 */
export async function choosePlan(
  targets: Targets,
  drivers: readonly RestartDriver[],
  wanted: DriverName | undefined,
): Promise<ChosenPlan> {
  const reasons: string[] = [];
  for (const driver of drivers) {
    if (wanted !== undefined && driver.name !== wanted) continue;
    const planning = await driver.plan(targets);
    if ("plan" in planning) return { driver: driver.name, plan: planning.plan };
    reasons.push(`${driver.name}: ${planning.reason}`);
  }
  throw new AgentError("not_restartable", `${targets.selector} cannot be restarted: ${reasons.join("; ")}`, {
    details: { reasons },
  });
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
  const running = await nowRunning(container, parts);
  const left =
    running.length === 0 ? `nothing runs in ${name} now` : `running in ${name} now: ${running.join(", ")}`;
  return new AgentError(
    "failed",
    `restart of ${targets.selector} by ${chosen.driver} failed: ${error.message}; ${left}`,
    {
      details: { driver: chosen.driver, old: chosen.plan.stops.map((one) => formatRef(one.ref)), running },
      cause: error,
    },
  );
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
