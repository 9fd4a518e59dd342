import type { CompatibleGroup } from "../metric-choice.ts";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";
import { labelText } from "./label-text.ts";
import { createPiece, type Piece } from "./pieces.ts";
import { type Collector, type FamilySamples, renderSamples } from "./samples.ts";

export interface CollectorGroupParts {
  readonly group: CompatibleGroup;
  /** Those that are on. */
  readonly collectors: readonly Collector[];
  /** Families of the group that no collector has: the same at each scrape. */
  readonly constant?: readonly FamilySamples[];
  readonly maxSeries: number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  readonly onFailure: (collector: string, error: unknown) => void;
  /** How many series a rendering has, and how many were left out because of `maxSeries`. */
  readonly onRendered: (written: number, dropped: number) => void;
}

/**
 * The families of a compatible group. What is collected for a snapshot is collected once, whatever the format, and one
 * collection is under way at most: on a host too busy to collect as often as it is scanned they would pile up, each
 * slower for the others. Who asks meanwhile gets what is being collected, of a scan or two before.
 */
export interface CollectorGroup {
  render(snapshot: Snapshot, format: ExpositionFormat): Promise<readonly Piece[]>;
}

export function createCollectorGroup(parts: CollectorGroupParts): CollectorGroup {
  let last: { readonly snapshot: Snapshot; readonly families: Promise<readonly FamilySamples[]> } | undefined;
  let isUnderWay = false;
  const collect = async (snapshot: Snapshot): Promise<readonly FamilySamples[]> => {
    isUnderWay = true;
    try {
      return await collectAll(snapshot, parts);
    } finally {
      isUnderWay = false;
    }
  };
  const collected = (snapshot: Snapshot): Promise<readonly FamilySamples[]> => {
    if (last === undefined || (last.snapshot !== snapshot && !isUnderWay))
      last = { snapshot, families: collect(snapshot) };
    return last.families;
  };
  return {
    render: async (snapshot, format) => {
      const { text, written, dropped } = renderSamples(await collected(snapshot), format, parts.maxSeries);
      parts.onRendered(written, dropped);
      return text === "" ? [] : [createPiece(text)];
    },
  };
}

async function collectAll(
  snapshot: Snapshot,
  { group, collectors, constant = [], monotonicMs, onFailure }: CollectorGroupParts,
): Promise<readonly FamilySamples[]> {
  const families: FamilySamples[] = [...constant];
  const outcomes: Outcome[] = [];
  for (const collector of collectors) {
    const from = monotonicMs();
    let succeeded = true;
    try {
      families.push(...(await collector.collect(snapshot)));
    } catch (error) {
      succeeded = false;
      onFailure(`${group}.${collector.name}`, error);
    }
    outcomes.push({ name: collector.name, succeeded, seconds: (monotonicMs() - from) / 1000 });
  }
  return group === "node" ? [...families, ...collectorFamilies(outcomes)] : families;
}

interface Outcome {
  readonly name: string;
  readonly succeeded: boolean;
  readonly seconds: number;
}

const duration: Family = {
  name: "node_scrape_collector_duration_seconds",
  type: "gauge",
  help: "node_exporter: Duration of a collector scrape.",
  labels: ["collector"],
};
const success: Family = {
  name: "node_scrape_collector_success",
  type: "gauge",
  help: "node_exporter: Whether a collector succeeded.",
  labels: ["collector"],
};

/** As node_exporter tells how its collectors fared. */
function collectorFamilies(outcomes: readonly Outcome[]): readonly FamilySamples[] {
  const samples = (figureOf: (outcome: Outcome) => number) =>
    outcomes.map((outcome) => ({
      labels: labelText(["collector"], [outcome.name]),
      value: figureOf(outcome),
    }));
  return [
    { family: duration, samples: samples(({ seconds }) => seconds) },
    { family: success, samples: samples(({ succeeded }) => Number(succeeded)) },
  ];
}
