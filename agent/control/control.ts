import type {
  Actor,
  DriverName,
  RestartAnswer,
  RestartOutlook,
  RestartRequest,
  SignalAnswer,
  SignalRequest,
} from "../api.ts";
import { AgentError, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { containerLabel, formatRef, type Snapshot, type TargetProcess, type Targets } from "../model.ts";
import { parseSignal } from "../signal-names.ts";
import type { Audit, AuditIntent } from "./audit.ts";
import type { RestartDriver } from "./drivers/driver.ts";
import type { Guard } from "./guard.ts";
import { type MembershipParts, refuseStranger } from "./membership.ts";
import { respawner } from "./respawner.ts";
import { carryOut, choosePlan, defaultSettleSeconds, describeOutlook } from "./restart.ts";
import type { SettleParts } from "./settle.ts";
import { type SignalParts, sendSignals } from "./signal.ts";

export interface ControlParts extends SignalParts, SettleParts {
  readonly guard: Guard;
  readonly audit: Audit;
  /** In the order in which they are asked. */
  readonly drivers: readonly RestartDriver[];
  readonly membership: MembershipParts;
  /** A scan that begins now, so that what is acted upon is what is there. */
  readonly freshSnapshot: () => Promise<Snapshot>;
  /** @throws AgentError for the selector */
  readonly findTargets: (selector: string, snapshot: Snapshot) => Targets;
  readonly log: Logger;
  /** Counts what was done, for the metrics. */
  readonly onAct: (action: "signal" | "restart", driver: string, outcome: string) => void;
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
  const busy = new Set<string>();
  return {
    signal: (request, actor) => signal(request, actor, parts),
    restart: async (request, actor) => {
      const { targets, snapshot } = await resolve(request.selector, parts);
      refuseGuarded(restartTargets(targets), snapshot, parts, targets);
      if (request.dryRun === true) return restart(request, actor, targets, snapshot, parts);
      const key = targets.container?.id ?? request.selector;
      if (busy.has(key)) {
        const name = targets.container === null ? request.selector : containerLabel(targets.container);
        throw new AgentError("busy", `a restart in ${name} is already under way`);
      }
      busy.add(key);
      try {
        return await restart(request, actor, targets, snapshot, parts);
      } finally {
        busy.delete(key);
      }
    },
    outlook: async (selector, snapshot) => {
      const targets = parts.findTargets(selector, snapshot);
      const refusal = firstRefusal(restartTargets(targets), snapshot, parts, targets);
      return refusal === undefined
        ? describeOutlook(targets, parts.drivers)
        : { driver: null, plan: refusal };
    },
  };
}

async function resolve(
  selector: string,
  parts: ControlParts,
): Promise<{ targets: Targets; snapshot: Snapshot }> {
  const snapshot = await parts.freshSnapshot();
  return { targets: parts.findTargets(selector, snapshot), snapshot };
}

/** What a restart stops: the processes and all below them. */
function restartTargets(targets: Targets): readonly TargetProcess[] {
  return targets.kind === "container" ? targets.processes : [...targets.processes, ...targets.descendants];
}

function firstRefusal(
  processes: readonly TargetProcess[],
  snapshot: Snapshot,
  parts: ControlParts,
  targets: Targets,
): string | undefined {
  const all = parts.guard.refuseAll();
  if (all !== undefined) return all;
  if (targets.container !== null && !targets.container.known && targets.kind !== "process") {
    return `${targets.selector} looks like a container, but no runtime knows that id`;
  }
  for (const process of processes) {
    const reason = parts.guard.refuse(process, snapshot);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function refuseGuarded(
  processes: readonly TargetProcess[],
  snapshot: Snapshot,
  parts: ControlParts,
  targets: Targets,
): void {
  const reason = firstRefusal(processes, snapshot, parts, targets);
  if (reason === undefined) return;
  parts.log.warn("refused", { selector: targets.selector, reason });
  throw new AgentError("refused", reason);
}

async function refuseStrangers(
  processes: readonly TargetProcess[],
  snapshot: Snapshot,
  parts: ControlParts,
): Promise<void> {
  for (const process of processes) {
    const reason = await refuseStranger(process, snapshot, parts.membership);
    if (reason !== undefined) throw new AgentError("refused", reason);
  }
}

async function signal(request: SignalRequest, actor: Actor, parts: ControlParts): Promise<SignalAnswer> {
  const sent = parseSignal(request.signal ?? "TERM");
  const { targets, snapshot } = await resolve(request.selector, parts);
  const processes =
    request.tree === true ? [...targets.processes, ...targets.descendants] : targets.processes;
  if (processes.length === 0) {
    throw new AgentError("not_found", `${request.selector} has no process to signal`);
  }
  refuseGuarded(processes, snapshot, parts, targets);
  await refuseStrangers(processes, snapshot, parts);
  const dryRun = request.dryRun === true;
  const answer = (outcomes: readonly SignalAnswer["targets"][number]["outcome"][]): SignalAnswer => ({
    action: "signal",
    signal: sent.name,
    dryRun,
    targets: processes.map((process, index) => ({
      ref: formatRef(process.ref),
      name: process.name,
      outcome: outcomes[index] ?? null,
      respawnedBy: respawner(process, snapshot),
    })),
  });
  if (dryRun) return answer([]);
  const intent = describeIntent("signal", request.selector, actor, processes, targets, sent.name);
  const outcomes = await audited(intent, "none", parts, () =>
    sendSignals({ targets: processes, signal: sent, graceSeconds: request.graceSeconds }, parts),
  );
  const [first] = processes;
  if (first !== undefined && outcomes.every((outcome) => outcome === "gone") && targets.kind === "process") {
    throw new AgentError("stale_ref", `${formatRef(first.ref)} no longer holds: the process has ended`);
  }
  return answer(outcomes);
}

async function restart(
  request: RestartRequest,
  actor: Actor,
  targets: Targets,
  snapshot: Snapshot,
  parts: ControlParts,
): Promise<RestartAnswer> {
  await refuseStrangers(restartTargets(targets), snapshot, parts);
  const chosen = await choosePlan(targets, parts.drivers, request.driver);
  const old = chosen.plan.stops;
  if (request.dryRun === true) {
    return {
      action: "restart",
      driver: chosen.driver,
      plan: chosen.plan.text,
      warnings: chosen.plan.warnings,
      dryRun: true,
      old: old.map((process) => formatRef(process.ref)),
      new: [],
      seconds: 0,
    };
  }
  const intent = describeIntent("restart", request.selector, actor, old, targets, chosen.driver);
  const answer = await audited(intent, chosen.driver, parts, () =>
    carryOut(chosen, targets, request.settleSeconds ?? defaultSettleSeconds, parts),
  );
  parts.onRestarted(answer, targets);
  return answer;
}

function describeIntent(
  action: AuditIntent["action"],
  selector: string,
  actor: Actor,
  processes: readonly TargetProcess[],
  targets: Targets,
  how: string,
): AuditIntent {
  return {
    actor,
    action,
    selector,
    refs: processes.map((process) => formatRef(process.ref)),
    container: targets.container?.id ?? null,
    how,
  };
}

/** Writes the intent, acts, writes the outcome; an outcome that cannot be written is logged, for the act has happened. */
async function audited<T>(
  intent: AuditIntent,
  driver: DriverName | "none",
  parts: ControlParts,
  act: () => Promise<T>,
): Promise<T> {
  const id = await parts.audit.intend(intent);
  const conclude = async (outcome: string, message: string | null): Promise<void> => {
    parts.onAct(intent.action, driver, outcome);
    parts.log.info(intent.action, { outcome, selector: intent.selector, refs: intent.refs, how: intent.how });
    try {
      await parts.audit.conclude(id, intent, outcome, message);
    } catch (error) {
      parts.log.error("the outcome could not be written to the audit file", { id, reason: reasonOf(error) });
    }
  };
  try {
    const result = await act();
    await conclude("done", null);
    return result;
  } catch (error) {
    await conclude(error instanceof AgentError ? error.code : "internal", reasonOf(error));
    throw error;
  }
}
