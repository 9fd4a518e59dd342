import type {
  Actor,
  RestartAnswer,
  RestartOutlook,
  RestartRequest,
  SignalAnswer,
  SignalRequest,
} from "../api.ts";
import { formatRef, type Snapshot, type TargetProcess, type Targets } from "../model.ts";
import {
  type ActParts,
  audited,
  describeIntent,
  dryRunNotes,
  type Found,
  firstRefusal,
  refuseGuarded,
  refuseStrangers,
  resolveTargets,
} from "./act.ts";
import { createBusy } from "./busy.ts";
import type { RestartDriver } from "./drivers/driver.ts";
import { carryOut, choosePlan, defaultSettleSeconds, describeOutlook, runtimeObstacle } from "./restart.ts";
import { eachProgramOf, restartEach } from "./restart-each.ts";
import type { SettleParts } from "./settle.ts";
import { type SignalTargetsParts, signalTargets } from "./signal-targets.ts";

export interface ControlParts extends ActParts, SignalTargetsParts, SettleParts {
  /** In the order in which they are asked. */
  readonly drivers: readonly RestartDriver[];
  /**
   * The programs of a container that can be restarted one by one: not its init, and not what was run in it from outside.
   * @throws AgentError `not_found`, `ambiguous` for the container
   */
  readonly programsOf: (container: string, snapshot: Snapshot) => readonly string[];
  /** Leaves the zombies of a program out: there is nothing of them to stop, and none can be like them. */
  readonly livingTargets: (targets: Targets, snapshot: Snapshot) => Targets;
  /** Reports a restart that has succeeded. */
  readonly onRestarted: (answer: RestartAnswer, targets: Targets) => void;
}

/** The one path of all that acts: selector → guard → audit (intent) → act → verify → audit (outcome). */
export interface Control {
  signal(request: SignalRequest, actor: Actor): Promise<SignalAnswer>;
  restart(request: RestartRequest, actor: Actor): Promise<RestartAnswer>;
  /** What a restart of the selector would do, or why not; for people who look at a snapshot. */
  outlook(selector: string, snapshot: Snapshot): Promise<RestartOutlook>;
}

export function createControl(parts: ControlParts): Control {
  const busy = createBusy();
  const restartOne: Control["restart"] = async (request, actor) => {
    const { targets: all, snapshot } = await resolveTargets(request.selector, parts);
    const targets = parts.livingTargets(all, snapshot);
    const found = { targets, snapshot };
    refuseGuarded(restartTargets(targets), found, request.dryRun === true, parts);
    if (request.dryRun === true) return restart(request, actor, found, parts);
    const letGo = busy.hold(targets);
    try {
      return await restart(request, actor, found, parts);
    } finally {
      letGo();
    }
  };
  return {
    signal: (request, actor) => signalTargets(request, actor, parts),
    restart: async (request, actor) => {
      const name = eachProgramOf(request.selector);
      if (name === undefined) return restartOne(request, actor);
      const programs = parts.programsOf(name, await parts.freshSnapshot());
      return restartEach(request, name, programs, (one) => restartOne(one, actor));
    },
    outlook: async (selector, snapshot) => {
      const targets = parts.livingTargets(parts.findTargets(selector, snapshot), snapshot);
      const under = busy.holderOf(targets);
      if (under !== undefined) return { driver: null, plan: `a restart of ${under} is under way` };
      const refusal =
        parts.guard.refuseAll() ?? firstRefusal(restartTargets(targets), { targets, snapshot }, parts);
      return refusal === undefined
        ? describeOutlook(targets, parts.drivers)
        : { driver: null, plan: refusal };
    },
  };
}

/** What a restart stops: the processes and all below them. */
function restartTargets(targets: Targets): readonly TargetProcess[] {
  return targets.kind === "container" ? targets.processes : [...targets.processes, ...targets.descendants];
}

async function restart(
  request: RestartRequest,
  actor: Actor,
  { targets, snapshot }: Found,
  parts: ControlParts,
): Promise<RestartAnswer> {
  await refuseStrangers(restartTargets(targets), snapshot, parts);
  const chosen = await choosePlan(targets, parts.drivers, request.driver, runtimeObstacle(parts));
  const old = chosen.plan.stops;
  if (request.dryRun === true) {
    return {
      action: "restart",
      driver: chosen.driver,
      plan: chosen.plan.text,
      warnings: [...dryRunNotes(parts), ...chosen.plan.warnings],
      dryRun: true,
      old: old.map((process) => formatRef(process.ref)),
      new: [],
      seconds: 0,
    };
  }
  const intent = describeIntent("restart", targets, actor, old, chosen.driver);
  const answer = await audited(intent, chosen.driver, parts, () =>
    carryOut(chosen, targets, request.settleSeconds ?? defaultSettleSeconds, parts),
  );
  parts.onRestarted(answer, targets);
  return answer;
}
