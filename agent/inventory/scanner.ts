import { AgentError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Snapshot } from "../model.ts";
import type { ProcessSource } from "../source/process-source.ts";
import type { Tracker } from "./tracker.ts";

export interface ScannerParts {
  readonly source: ProcessSource;
  readonly tracker: Tracker;
  readonly intervalMs: number;
  readonly log: Logger;
  readonly clock: {
    /** Milliseconds since the epoch. */
    readonly now: () => number;
    /** Seconds of a clock that never goes back. */
    readonly monotonicSeconds: () => number;
  };
  /** Called when a scan has ended, before it is joined with those before. */
  readonly beforeSnapshot?: () => void;
  /** Called with the milliseconds that the timer came late. */
  readonly onTimer?: (lateMs: number) => void;
  /** Called when a scan of the timer has failed. */
  readonly onFailure?: () => void;
  /** Called after each scan, before anyone sees the snapshot. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
}

/** Takes a snapshot every interval and shares it. There is never more than one scan at a time. */
export interface Scanner {
  /** Undefined before the first scan has ended. */
  latest(): Snapshot | undefined;
  /**
   * A snapshot whose scan began after this call, for what is about to act. Callers at the same time share one.
   * @throws AgentError `unavailable` when the host cannot be read
   */
  fresh(): Promise<Snapshot>;
  /** Scans once, then on the timer. @throws AgentError when the first scan fails */
  start(): Promise<Snapshot>;
  stop(): Promise<void>;
}

export function createScanner(parts: ScannerParts): Scanner {
  const { source, tracker, clock, log } = parts;
  let latest: Snapshot | undefined;
  let running: Promise<Snapshot> | undefined;
  let waiting: Promise<Snapshot> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const scan = async (): Promise<Snapshot> => {
    const began = clock.monotonicSeconds();
    const result = await source.scan();
    const ended = clock.monotonicSeconds();
    parts.beforeSnapshot?.();
    const snapshot = tracker.advance(result, {
      takenAt: clock.now(),
      monotonicSeconds: ended,
      scanSeconds: ended - began,
    });
    parts.onSnapshot(snapshot);
    latest = snapshot;
    return snapshot;
  };
  const run = (): Promise<Snapshot> => {
    running = scan().finally(() => {
      running = undefined;
    });
    return running;
  };
  const fresh = (): Promise<Snapshot> => {
    if (stopped) return Promise.reject(new AgentError("unavailable", "the agent is stopping"));
    if (running === undefined) return run();
    // The scan under way may have passed the process already: wait for the next one, once for all who ask now.
    waiting ??= running
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        return run();
      });
    return waiting;
  };
  const tick = async (): Promise<void> => {
    try {
      await (running ?? run());
    } catch (error) {
      log.error("scan failed", { error });
      parts.onFailure?.();
    }
  };
  return {
    latest: () => latest,
    fresh,
    start: async () => {
      const first = await fresh();
      let due = clock.monotonicSeconds() * 1000 + parts.intervalMs;
      timer = setInterval(() => {
        const now = clock.monotonicSeconds() * 1000;
        parts.onTimer?.(Math.max(0, now - due));
        due = now + parts.intervalMs;
        void tick();
      }, parts.intervalMs);
      return first;
    },
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running?.catch(() => undefined);
      source.close();
    },
  };
}
