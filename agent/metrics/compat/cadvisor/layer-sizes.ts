import type { Container } from "../../../model.ts";

export interface Layer {
  readonly bytes: number;
  /** Where the host has it; null where that is not known. */
  readonly folder: string | null;
}

/** By a container's id; undefined: it is gone. */
export type MeasureLayer = (containerId: string) => Promise<Layer | undefined>;

/** Time from the end of a round to the next, and for containers that the last one did not have. */
const roundEveryMs = 300_000;
const newEveryMs = 15_000;
/** An engine that fails so often in a row is left alone until the next round. */
const mostFailures = 3;

/**
 * What containers have written into their own layers. The engine walks through them for that: it is asked in the
 * background, for one after the other, and only while somebody asks here.
 */
export interface LayerSizes {
  /** As last measured; those that are new come later. */
  of(containers: readonly Container[]): ReadonlyMap<string, Layer>;
}

/** @param monotonicMs milliseconds of a clock that never goes back */
export function createLayerSizes(
  measure: MeasureLayer,
  monotonicMs: () => number,
  onFailure: (error: unknown) => void,
): LayerSizes {
  const layers = new Map<string, Layer>();
  let isUnderWay = false;
  let roundEndedAt = Number.NEGATIVE_INFINITY;
  let endedAt = Number.NEGATIVE_INFINITY;
  const run = async (ids: readonly string[]): Promise<void> => {
    let failures = 0;
    for (const id of ids) {
      try {
        const layer = await measure(id);
        failures = 0;
        if (layer === undefined) layers.delete(id);
        else layers.set(id, layer);
      } catch (error) {
        onFailure(error);
        if (++failures === mostFailures) return;
      }
    }
  };
  const begin = async (ids: readonly string[], isRound: boolean): Promise<void> => {
    isUnderWay = true;
    try {
      await run(ids);
    } finally {
      isUnderWay = false;
      endedAt = monotonicMs();
      if (isRound) roundEndedAt = endedAt;
    }
  };
  return {
    of: (containers) => {
      const ids = containers.map(({ id }) => id);
      const present = new Set(ids);
      for (const id of layers.keys()) if (!present.has(id)) layers.delete(id);
      if (isUnderWay || ids.length === 0) return layers;
      const isRound = monotonicMs() - roundEndedAt >= roundEveryMs;
      const due = isRound ? ids : ids.filter((id) => !layers.has(id));
      if (isRound || (due.length > 0 && monotonicMs() - endedAt >= newEveryMs)) void begin(due, isRound);
      return layers;
    },
  };
}
