import type { CompatibleGroup } from "../metric-choice.ts";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";
import { familyHead } from "./family-head.ts";
import { createFigureLines } from "./figure-lines.ts";
import type { Piece } from "./pieces.ts";

/** One series of a family. */
export interface Sample {
  /** The inside of its braces, by `labelText` or `createLabelTexts`; empty when it has no labels. */
  readonly labels: string;
  /** NaN leaves the series out. */
  readonly value: number;
}

/** What a collector found for a family; without samples the family is not shown. */
export interface FamilySamples {
  readonly family: Family;
  readonly samples: readonly Sample[];
}

/** A part of a compatible group, as node_exporter has them: one subject, some families. */
export interface Collector {
  readonly group: CompatibleGroup;
  /** As in `metricCollectors`. */
  readonly name: string;
  /**
   * Called at most once for a snapshot, and only when somebody scrapes.
   * @throws whatever it met: the others go on, and the failure is counted
   */
  collect(snapshot: Snapshot): readonly FamilySamples[] | Promise<readonly FamilySamples[]>;
}

export interface RenderedSamples {
  readonly pieces: readonly Piece[];
  readonly written: number;
  readonly dropped: number;
}

/** @param most series that may be written; what is beyond is dropped and counted */
export type RenderSamples = (families: readonly FamilySamples[], most: number) => RenderedSamples;

/** Renders families again and again: what is the same as before is the same piece. */
export function createSampleRenderer(format: ExpositionFormat): RenderSamples {
  let known = new Map<string, FamilyLines>();
  return (families, most) => {
    const pieces: Piece[] = [];
    const shown = new Map<string, FamilyLines>();
    let written = 0;
    let dropped = 0;
    for (const { family, samples: all } of mergeFamilies(families)) {
      const samples = all.some(({ value }) => Number.isNaN(value))
        ? all.filter(({ value }) => !Number.isNaN(value))
        : all;
      const room = Math.min(samples.length, Math.max(0, most - written));
      written += room;
      dropped += samples.length - room;
      if (room === 0) continue;
      const { name } = family;
      const lines = known.get(name) ?? createFamilyLines(family, format);
      shown.set(name, lines);
      pieces.push(...lines(room === samples.length ? samples : samples.slice(0, room)));
    }
    known = shown;
    return { pieces, written, dropped };
  };
}

/** The piece of a family with such samples; none where no sample has a figure. */
type FamilyLines = (samples: readonly Sample[]) => readonly Piece[];

function createFamilyLines(family: Family, format: ExpositionFormat): FamilyLines {
  const head = familyHead(family, format);
  let shown: readonly Sample[] = [];
  let lines = createFigureLines(0, () => "");
  const prefixOf = (line: number): string => {
    const labels = shown[line]?.labels ?? "";
    return `${line === 0 ? head : ""}${family.name}${labels === "" ? "" : `{${labels}}`} `;
  };
  return (samples) => {
    const isSame =
      samples.length === shown.length && samples.every(({ labels }, at) => labels === shown[at]?.labels);
    shown = samples;
    if (!isSame) lines = createFigureLines(samples.length, prefixOf);
    for (let line = 0; line < samples.length; line++) lines.set(line, samples[line]?.value ?? Number.NaN);
    const piece = lines.render(samples.length);
    return piece === undefined ? [] : [piece];
  };
}

/** Two collectors can have samples of one family, and a family stands in one place only. */
function mergeFamilies(families: readonly FamilySamples[]): Iterable<FamilySamples> {
  const merged = new Map<string, FamilySamples>();
  for (const one of families) {
    const before = merged.get(one.family.name);
    merged.set(
      one.family.name,
      before === undefined ? one : { ...before, samples: [...before.samples, ...one.samples] },
    );
  }
  return merged.values();
}
