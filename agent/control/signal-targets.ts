import type {
  Actor,
  SignalAnswer,
  SignalOutcome,
  SignalRequest,
  SignalTarget,
  ZombieParent,
} from "../api.ts";
import { AgentError } from "../errors.ts";
import { formatRef, type Snapshot, type TargetProcess } from "../model.ts";
import { parseSignal } from "../signal-names.ts";
import {
  type ActParts,
  audited,
  type Conclusion,
  describeIntent,
  dryRunNotes,
  type Found,
  refuseGuarded,
  refuseStrangers,
  resolveTargets,
} from "./act.ts";
import { type Respawner, respawner } from "./respawner.ts";
import { sendSignals } from "./signal.ts";
import { planStop, runStops, type StopOrder, type StopTargetsParts } from "./stop-targets.ts";

/** Of `wait` and `stop`. */
const defaultTimeoutSeconds = 30;
/** Candidates that an error lists. */
const mostListed = 100;

export interface SignalTargetsParts extends ActParts, StopTargetsParts {
  /** Who does not reap a zombie; null for what is none. */
  readonly zombieParent: (pid: number, snapshot: Snapshot) => ZombieParent | null;
}

/**
 * Signals what the selector names, or has it stopped.
 * @throws AgentError `bad_request` for what does not go together, `ambiguous` for several processes without `all`,
 *   `refused`, `stale_ref`, and as the parts do
 */
export async function signalTargets(
  request: SignalRequest,
  actor: Actor,
  parts: SignalTargetsParts,
): Promise<SignalAnswer> {
  checkRequest(request);
  const signal = parseSignal(request.signal ?? "TERM");
  const found = await resolveTargets(request.selector, parts);
  const processes = chooseProcesses(request, found, parts);
  refuseGuarded(processes, found, request.dryRun === true, parts);
  await refuseStrangers(processes, found.snapshot, parts);
  if (request.stop === true) return stopAll(request, actor, processes, found, parts);
  const warnings = dryRunNotes(parts);
  const answer = (outcomes: readonly SignalOutcome[], dryRun: boolean): SignalAnswer => ({
    action: "signal",
    signal: signal.name,
    dryRun,
    targets: processes.map((process, index) =>
      toTarget(process, outcomes[index] ?? null, againBy(process, processes, found.snapshot), null, {
        found,
        parts,
      }),
    ),
    warnings,
  });
  if (request.dryRun === true) return answer([], true);
  const timeout = request.timeoutSeconds ?? defaultTimeoutSeconds;
  const order = {
    targets: processes,
    signal,
    graceSeconds: request.graceSeconds,
    waitSeconds: request.wait === true ? timeout : undefined,
  };
  const intent = describeIntent("signal", found.targets, actor, processes, signal.name);
  const outcomes = await audited(
    intent,
    "none",
    parts,
    () => sendSignals(order, parts),
    (result) => judge(result, processes, order.waitSeconds),
  );
  refuseStale(outcomes, processes, found);
  return answer(outcomes, false);
}

/** @throws AgentError `bad_request` */
function checkRequest({ signal, graceSeconds, tree, wait, timeoutSeconds, stop }: SignalRequest): void {
  const refuse = (message: string): never => {
    throw new AgentError("bad_request", message);
  };
  if (stop === true && signal !== undefined)
    refuse("a signal does not go with stop: who stops it chooses the signal");
  if (stop === true && tree === true)
    refuse("tree does not go with stop: a program is stopped as its manager does it");
  if (wait === true && graceSeconds !== undefined)
    refuse("wait does not go with grace: after the grace KILL comes, wait never kills");
  if (timeoutSeconds !== undefined && wait !== true && stop !== true)
    refuse("a timeout goes with wait or stop only");
}

/** @throws AgentError `not_found` when there is none, `ambiguous` when there are several and `all` was not said */
function chooseProcesses(
  request: SignalRequest,
  { targets, snapshot }: Found,
  parts: SignalTargetsParts,
): readonly TargetProcess[] {
  const { processes, descendants } = targets;
  if (processes.length === 0)
    throw new AgentError("not_found", `${request.selector} has no process to signal`);
  // Nothing can be done to a zombie, so it does not make the others ambiguous.
  const living = processes.filter(({ ref }) => parts.zombieParent(ref.pid, snapshot) === null);
  if (living.length > 1 && request.all !== true) {
    const candidates = living.slice(0, mostListed).map(({ ref, name }) => `${formatRef(ref)} (${name})`);
    throw new AgentError(
      "ambiguous",
      `${request.selector} fits ${living.length} processes; name one, or ask for all (--all)`,
      { details: { candidates } },
    );
  }
  return request.tree === true ? [...processes, ...descendants] : processes;
}

async function stopAll(
  request: SignalRequest,
  actor: Actor,
  processes: readonly TargetProcess[],
  found: Found,
  parts: SignalTargetsParts,
): Promise<SignalAnswer> {
  const { snapshot } = found;
  const orders: StopOrder[] = [];
  for (const process of processes) {
    if (parts.zombieParent(process.ref.pid, snapshot) === null)
      orders.push(await planStop(process, processes, request.graceSeconds, snapshot, parts));
  }
  const outcomeOf = new Map<TargetProcess, SignalOutcome>();
  const notes: string[] = [];
  const answer = (dryRun: boolean): SignalAnswer => ({
    action: "signal",
    signal: null,
    dryRun,
    targets: processes.map((process) => {
      const order = orders.find(({ target }) => target === process);
      const outcome = order === undefined ? "zombie" : (outcomeOf.get(process) ?? null);
      return toTarget(process, dryRun ? null : outcome, null, order?.by ?? null, { found, parts });
    }),
    warnings: [...dryRunNotes(parts), ...orders.flatMap(({ warning }) => warning ?? []), ...notes],
  });
  if (request.dryRun === true || orders.length === 0) return answer(request.dryRun === true);
  const timeout = request.timeoutSeconds ?? defaultTimeoutSeconds;
  const stopped = orders.map(({ target }) => target);
  const how = `stop by ${[...new Set(orders.map(({ by }) => by))].join(", ")}`;
  const stops = await audited(
    describeIntent("signal", found.targets, actor, stopped, how),
    orders[0]?.driver ?? "none",
    parts,
    () => runStops(orders, timeout, parts),
    (result) => withNotes(judge(result.outcomes, stopped, timeout), result.notes),
  );
  for (const [index, target] of stopped.entries()) outcomeOf.set(target, stops.outcomes[index] ?? "gone");
  notes.push(...stops.notes);
  refuseStale(stops.outcomes, stopped, found);
  return answer(false);
}

/** Who starts it again, unless that one is a target itself. */
function againBy(
  process: TargetProcess,
  processes: readonly TargetProcess[],
  snapshot: Snapshot,
): Respawner | null {
  const isParentToo = processes.some(({ ref }) => ref.pid === process.parentPid);
  return isParentToo && !process.init ? null : respawner(process, snapshot);
}

function toTarget(
  process: TargetProcess,
  outcome: SignalOutcome | null,
  again: Respawner | null,
  stoppedBy: string | null,
  { found, parts }: { readonly found: Found; readonly parts: SignalTargetsParts },
): SignalTarget {
  // In a dry run too: it says that nothing can be done.
  const zombieOf =
    outcome === "zombie" || outcome === null ? parts.zombieParent(process.ref.pid, found.snapshot) : null;
  return {
    ref: formatRef(process.ref),
    name: process.name,
    outcome,
    respawnedBy: again?.by ?? null,
    respawn: again?.respawn ?? null,
    stoppedBy,
    zombieOf,
  };
}

/** @param waitSeconds how long the ends were waited for; undefined: they were not asked for */
function judge(
  outcomes: readonly SignalOutcome[],
  processes: readonly TargetProcess[],
  waitSeconds: number | undefined,
): Conclusion {
  const refsOf = (wanted: SignalOutcome): string =>
    processes
      .filter((_, index) => outcomes[index] === wanted)
      .map(({ ref }) => formatRef(ref))
      .join(" ");
  const [lasting, zombies] = [refsOf("sent"), refsOf("zombie")];
  const notes = [
    ...(waitSeconds === undefined || lasting === "" ? [] : [`not ended within ${waitSeconds} s: ${lasting}`]),
    ...(zombies === "" ? [] : [`zombies that nobody reaps: ${zombies}`]),
  ];
  return notes.length === 0
    ? { outcome: "done", message: null }
    : { outcome: "failed", message: notes.join("; ") };
}

function withNotes({ outcome, message }: Conclusion, notes: readonly string[]): Conclusion {
  const all = message === null ? notes : [message, ...notes];
  return { outcome, message: all.length === 0 ? null : all.join("; ") };
}

/** @throws AgentError `stale_ref` when the one process that was named had ended */
function refuseStale(
  outcomes: readonly SignalOutcome[],
  [first]: readonly TargetProcess[],
  { targets }: Found,
): void {
  if (first !== undefined && outcomes.every((outcome) => outcome === "gone") && targets.kind === "process") {
    throw new AgentError("stale_ref", `${formatRef(first.ref)} no longer holds: the process has ended`);
  }
}
