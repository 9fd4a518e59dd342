import { setImmediate } from "node:timers/promises";

/**
 * Lets others have the event loop when the caller has held it for a while: undefined while there is no need to wait.
 * @param monotonicMs milliseconds of a clock that never goes back
 */
export function createPauses(monotonicMs: () => number, holdMs = 4): () => Promise<void> | undefined {
  let since = monotonicMs();
  return () => {
    if (monotonicMs() - since < holdMs) return undefined;
    return setImmediate().then(() => {
      since = monotonicMs();
    });
  };
}
