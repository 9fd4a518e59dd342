import type { CompatibleGroup } from "../metric-choice.ts";
import type { Container, Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";
import { labelText } from "./label-text.ts";
import type { Piece } from "./pieces.ts";
import { type Collector, createSampleRenderer, type FamilySamples, type RenderSamples } from "./samples.ts";

export interface CollectorGroupParts {
  readonly group: CompatibleGroup;
  /** Those that are on. */
  readonly collectors: readonly Collector[];
  /** Families of the group that no collector has: the same at each scrape. */
  readonly constant?: readonly FamilySamples[];
  /** How many series it may have, asked for each rendering. */
  readonly maxSeries: () => number;
  /** What was collected less than so many milliseconds ago is shown again, while the containers are the same. */
  readonly refreshMs: number;
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
  let last: Collection | undefined;
  let isUnderWay = false;
  const renderers = new Map<ExpositionFormat, RenderSamples>();
  const collect = async (snapshot: Snapshot): Promise<readonly FamilySamples[]> => {
    isUnderWay = true;
    try {
      return await collectAll(snapshot, parts);
    } finally {
      isUnderWay = false;
    }
  };
  const isHeld = ({ containers, at }: Collection, now: Snapshot): boolean =>
    containers === now.containers ||
    (parts.monotonicMs() - at < parts.refreshMs && areSame(containers, now.containers));
  const collected = (snapshot: Snapshot): Collection => {
    if (last === undefined || !(isUnderWay || isHeld(last, snapshot))) {
      // A renderer holds all samples: those of a format that nobody asks for any more are given up.
      for (const format of renderers.keys())
        if (last?.rendered.has(format) !== true) renderers.delete(format);
      last = {
        containers: snapshot.containers,
        at: parts.monotonicMs(),
        families: collect(snapshot),
        rendered: new Map(),
      };
    }
    return last;
  };
  return {
    render: async (snapshot, format) => {
      const { families, rendered } = collected(snapshot);
      const known = rendered.get(format);
      if (known !== undefined) return known;
      const render = renderers.get(format) ?? createSampleRenderer(format);
      renderers.set(format, render);
      const { pieces, written, dropped } = render(await families, parts.maxSeries());
      parts.onRendered(written, dropped);
      rendered.set(format, pieces);
      return pieces;
    },
  };
}

interface Collection {
  /** Of the snapshot, and the same array in no other: to keep all of it would be megabytes. */
  readonly containers: readonly Container[];
  readonly at: number;
  readonly families: Promise<readonly FamilySamples[]>;
  readonly rendered: Map<ExpositionFormat, readonly Piece[]>;
}

/** One that has come, gone, stopped or started shows at once. */
function areSame(before: readonly Container[], now: readonly Container[]): boolean {
  return (
    before.length === now.length &&
    now.every((one, index) => {
      const other = before[index];
      return (
        one === other || (one.id === other?.id && one.initPid === other.initPid && one.state === other.state)
      );
    })
  );
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
