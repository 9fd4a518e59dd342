import type { SignalOutcome } from "../api.ts";
import { AgentError } from "../errors.ts";
import { formatRef, type TargetProcess } from "../model.ts";
import type { SignalName } from "../signal-names.ts";
import { openProcess, type ProcessHandle, type ProcessHandleParts, waitForExit } from "./process-handle.ts";

/** After a signal without a grace: how long its end is awaited before the answer says `sent`. */
const glanceMs = 250;
/** The same for KILL, which cannot be ignored: what is not gone by then hangs in the kernel or is frozen. */
const killLimitMs = 5_000;
const SIGKILL = 9;

export interface SignalParts extends ProcessHandleParts {
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

export interface SignalOrder {
  readonly targets: readonly TargetProcess[];
  readonly signal: SignalName;
  /** Wait so long for the end, then KILL. */
  readonly graceSeconds?: number | undefined;
  /** Wait so long for the end. Without either it is looked for a moment. */
  readonly waitSeconds?: number | undefined;
}

/**
 * Signals every target, in the given order. All are held by pidfd before the first signal goes out, so that what ends
 * through one of them cannot be taken for another. Zombies get none: what is looked at is whether they are reaped, since
 * their parent may be among the targets.
 * @returns an outcome for each target, in the same order
 * @throws AgentError `no_rights` when the kernel refuses, `failed` when a target outlives KILL
 */
export async function sendSignals(order: SignalOrder, parts: SignalParts): Promise<readonly SignalOutcome[]> {
  const handles = order.targets.map((target) => openProcess(target.ref, parts));
  try {
    const zombies = order.targets.map((target) => isZombie(target, parts));
    const delivered = handles.map((handle, index) =>
      zombies[index] === true ? false : (handle?.signal(order.signal.number) ?? false),
    );
    const outcomes = await Promise.all(
      handles.map((handle, index): SignalOutcome | Promise<SignalOutcome> => {
        const target = order.targets[index];
        if (handle === undefined || target === undefined || delivered[index] !== true) return "gone";
        return awaitEnd(target, handle, order, parts);
      }),
    );
    return order.targets.map((target, index) =>
      zombies[index] === true && isZombie(target, parts) ? "zombie" : (outcomes[index] ?? "gone"),
    );
  } finally {
    for (const handle of handles) handle?.close();
  }
}

function isZombie({ ref }: TargetProcess, parts: ProcessHandleParts): boolean {
  const stat = parts.readStat(ref.pid);
  return stat?.startTicks === ref.startTicks && stat.state === "Z".charCodeAt(0);
}

async function awaitEnd(
  target: TargetProcess,
  handle: ProcessHandle,
  order: SignalOrder,
  parts: SignalParts,
): Promise<SignalOutcome> {
  if (order.graceSeconds === undefined) {
    const glance = order.signal.number === SIGKILL ? killLimitMs : glanceMs;
    const limitMs = order.waitSeconds === undefined ? glance : order.waitSeconds * 1000;
    return (await waitForExit(handle, limitMs, parts.monotonicMs)) ? "exited" : "sent";
  }
  if (await waitForExit(handle, order.graceSeconds * 1000, parts.monotonicMs)) return "exited";
  if (!handle.signal(SIGKILL)) return "exited";
  if (await waitForExit(handle, killLimitMs, parts.monotonicMs)) return "killed";
  const letter = parts.readStat(target.ref.pid)?.state;
  const state = letter === undefined ? "unknown" : String.fromCharCode(letter);
  throw new AgentError(
    "failed",
    `${formatRef(target.ref)} (${target.name}) did not end within ${killLimitMs / 1000} s of SIGKILL; its state is ${state}` +
      (target.container?.state === "paused" ? " and its container is paused" : ""),
  );
}
