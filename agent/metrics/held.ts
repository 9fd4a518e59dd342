/**
 * Makes something, and gives it again for some time.
 * @param holdMs 0: made anew each time
 * @param monotonicMs milliseconds of a clock that never goes back
 */
export function createHeld<T>(make: () => T, holdMs: number, monotonicMs: () => number): () => T {
  let last: { readonly at: number; readonly value: T } | undefined;
  return () => {
    const now = monotonicMs();
    if (last === undefined || now - last.at >= holdMs) last = { at: now, value: make() };
    return last.value;
  };
}
