import type { CompatibleGroup } from "../metric-choice.ts";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";
import { familyHead } from "./family-head.ts";
import { numberText } from "./label-text.ts";

/** One series of a family. */
export interface Sample {
  /** The inside of its braces, by `labelText` or `createLabelTexts`; empty when it has no labels. */
  readonly labels: string;
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
  readonly text: string;
  readonly written: number;
  readonly dropped: number;
}

/** @param most series that may be written; what is beyond is dropped and counted */
export function renderSamples(
  families: readonly FamilySamples[],
  format: ExpositionFormat,
  most: number,
): RenderedSamples {
  let text = "";
  let written = 0;
  let dropped = 0;
  for (const { family, samples } of mergeFamilies(families)) {
    let head = familyHead(family, format);
    for (const { labels, value } of samples) {
      if (written >= most) {
        dropped++;
        continue;
      }
      written++;
      text += `${head}${family.name}${labels === "" ? "" : `{${labels}}`} ${numberText(value)}\n`;
      head = "";
    }
  }
  return { text, written, dropped };
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
