import { createHistogram } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

const nanosecondsPerMs = 1e6;
/**
 * Two digits of a delay, from a microsecond to an hour: with what is the default, all that a counter of 64 bits can hold in three
 * digits, each look at the deviation goes through fifty thousand classes.
 */
const range = { lowest: 1_000, highest: 3_600 * 1e9, figures: 2 };

/** Milliseconds, for the timer of prom-client's own measuring, which cannot be left out: it never comes. */
export const neverMs = 2 ** 31 - 1;

type Delays = ReturnType<typeof createHistogram>;

/** How late timers came. */
export interface LoopDelays {
  readonly histogram: Delays;
  record(lateMs: number): void;
}

export function createLoopDelays(): LoopDelays {
  const histogram = createHistogram(range);
  return {
    histogram,
    record: (lateMs) =>
      histogram.record(Math.min(range.highest, Math.max(1, Math.round(lateMs * nanosecondsPerMs)))),
  };
}

/** By the part of the name that tells them apart, in nanoseconds. */
const figures: Readonly<Record<string, (delays: Delays) => number>> = {
  min: ({ min }) => min,
  max: ({ max }) => max,
  mean: ({ mean }) => mean,
  stddev: ({ stddev }) => stddev,
  p50: (delays) => delays.percentile(50),
  p90: (delays) => delays.percentile(90),
  p99: (delays) => delays.percentile(99),
};

/**
 * `nodejs_eventloop_lag_*_seconds` since they were collected last, in place of prom-client's: Node itself measures with a timer of
 * ten milliseconds, and to wake so often was most of what an idle agent cost. A block of the loop counts once for each turn of
 * a timer that the agent has anyway; of one that is shorter than a turn only a part can be seen.
 */
export function replaceLoopDelay(registry: Registry, { histogram: delays }: LoopDelays): void {
  replaceLag(registry);
  const names = Object.keys(figures);
  for (const [figure, read] of Object.entries(figures)) {
    const name = `nodejs_eventloop_lag_${figure}_seconds`;
    registry.removeSingleMetric(name);
    new Gauge({
      name,
      help: `How late a timer of the event loop came since this was collected last: ${figure}.`,
      registers: [registry],
      collect() {
        this.set(delays.count === 0 ? 0 : read(delays) / 1e9);
        // They are collected in their order.
        if (figure === names.at(-1)) delays.reset();
      },
    });
  }
}

/** How late a callback comes that is asked for when this is collected. prom-client's own goes on looking at its histogram. */
function replaceLag(registry: Registry): void {
  const name = "nodejs_eventloop_lag_seconds";
  registry.removeSingleMetric(name);
  new Gauge({
    name,
    help: "Lag of event loop in seconds.",
    registers: [registry],
    collect() {
      const from = performance.now();
      setImmediate(() => this.set((performance.now() - from) / 1000));
    },
  });
}
