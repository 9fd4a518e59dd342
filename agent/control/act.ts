import type { Actor } from "../api.ts";
import { AgentError, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { formatRef, type Snapshot, type TargetProcess, type Targets } from "../model.ts";
import type { Audit, AuditIntent } from "./audit.ts";
import type { Guard } from "./guard.ts";
import { inspectingOnce, type MembershipParts, refuseStranger } from "./membership.ts";
import { containerProtection } from "./protection.ts";

/** What every act needs, whatever it does. */
export interface ActParts {
  readonly guard: Guard;
  readonly audit: Audit;
  readonly membership: MembershipParts;
  /** A scan that begins now, so that what is acted upon is what is there. */
  readonly freshSnapshot: () => Promise<Snapshot>;
  /** @throws AgentError for the selector */
  readonly findTargets: (selector: string, snapshot: Snapshot) => Targets;
  readonly log: Logger;
  /** Counts what was done, for the metrics. */
  readonly onAct: (action: AuditIntent["action"], driver: string, outcome: string) => void;
}

/** What a selector names, and the scan that it was found in. */
export interface Found {
  readonly targets: Targets;
  readonly snapshot: Snapshot;
}

/** @throws AgentError for the selector */
export async function resolveTargets(selector: string, parts: ActParts): Promise<Found> {
  const snapshot = await parts.freshSnapshot();
  return { targets: parts.findTargets(selector, snapshot), snapshot };
}

/** The guard's first reason against acting on these processes; undefined: it has none. */
export function firstRefusal(
  processes: readonly TargetProcess[],
  { targets, snapshot }: Found,
  parts: ActParts,
): string | undefined {
  const { container } = targets;
  if (container !== null && !container.known && targets.kind !== "process") {
    return `${targets.selector} looks like a container, but no runtime knows that id`;
  }
  // Also when it has no processes: a stopped one would be started.
  const kept = container === null ? undefined : containerProtection(container);
  if (kept !== undefined) return kept;
  for (const process of processes) {
    const reason = parts.guard.refuse(process, snapshot);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * The guard's word. A read-only agent still answers a dry run, which changes nothing: `dryRunNotes` says so.
 * @throws AgentError `refused`
 */
export function refuseGuarded(
  processes: readonly TargetProcess[],
  found: Found,
  dryRun: boolean,
  parts: ActParts,
): void {
  const all = dryRun ? undefined : parts.guard.refuseAll();
  const reason = all ?? firstRefusal(processes, found, parts);
  if (reason === undefined) return;
  parts.log.warn("refused", { selector: found.targets.selector, reason });
  throw new AgentError("refused", reason);
}

/** What has to be said beside a plan that would be refused without `dryRun`. */
export function dryRunNotes(parts: ActParts): readonly string[] {
  const reason = parts.guard.refuseAll();
  return reason === undefined ? [] : [`without a dry run this is refused: ${reason}`];
}

/** @throws AgentError `refused` when a process is not its container's, `unavailable` when that cannot be told */
export async function refuseStrangers(
  processes: readonly TargetProcess[],
  snapshot: Snapshot,
  parts: ActParts,
): Promise<void> {
  const membership = inspectingOnce(parts.membership);
  for (const process of processes) {
    const reason = await refuseStranger(process, snapshot, membership);
    if (reason !== undefined) throw new AgentError("refused", reason);
  }
}

export function describeIntent(
  action: AuditIntent["action"],
  targets: Targets,
  actor: Actor,
  processes: readonly TargetProcess[],
  how: string,
): AuditIntent {
  return {
    actor,
    action,
    selector: targets.selector,
    refs: processes.map((process) => formatRef(process.ref)),
    container: targets.container?.id ?? null,
    how,
  };
}

/** How an act ended, for the audit and the metrics. */
export interface Conclusion {
  /** `done`, or the code of an error. */
  readonly outcome: string;
  /** Of a command; left out for what is none. */
  readonly exitCode?: number | null;
  readonly message: string | null;
}

/**
 * Writes the intent, acts, writes the outcome.
 * @param driver for the metrics: who did it; `none` where it was the agent itself
 * @param judge what the result means; done when left out
 * @throws AgentError `unavailable` when the intent cannot be written: nothing has happened then; else as `act` does
 */
export async function audited<T>(
  intent: AuditIntent,
  driver: string,
  parts: Pick<ActParts, "audit" | "log" | "onAct">,
  act: () => Promise<T>,
  judge: (result: T) => Conclusion = () => ({ outcome: "done", message: null }),
): Promise<T> {
  const id = await parts.audit.intend(intent);
  const conclude = async ({ outcome, exitCode = null, message }: Conclusion): Promise<void> => {
    parts.onAct(intent.action, driver, outcome);
    parts.log.info(intent.action, { outcome, selector: intent.selector, refs: intent.refs, how: intent.how });
    await parts.audit.conclude(id, intent, { outcome, exitCode, message });
  };
  let result: T;
  try {
    result = await act();
  } catch (error) {
    await conclude({
      outcome: error instanceof AgentError ? error.code : "internal",
      message: reasonOf(error),
    });
    throw error;
  }
  await conclude(judge(result));
  return result;
}
