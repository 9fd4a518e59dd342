/**
 * A token bucket: so many requests at once, and one more with each interval, as exporter-toolkit's `rate_limit`.
 * @returns undefined: go on; else the seconds after which to try again
 */
export function createRateLimit(
  intervalMs: number,
  burst: number,
  monotonicMs: () => number,
): () => number | undefined {
  let tokens = burst;
  let at = monotonicMs();
  return () => {
    if (intervalMs === 0) return undefined;
    const now = monotonicMs();
    tokens = Math.min(burst, tokens + (now - at) / intervalMs);
    at = now;
    if (tokens >= 1) {
      tokens--;
      return undefined;
    }
    return Math.max(1, Math.ceil(((1 - tokens) * intervalMs) / 1000));
  };
}
