import type { Snapshot } from "../../../model.ts";
import type { Family, MetricType } from "../../families.ts";
import { labelText } from "../../label-text.ts";
import type { Collector, FamilySamples, Sample } from "../../samples.ts";
import type { CgroupSubject, CgroupSubjects } from "./cgroup-subjects.ts";

/** The values of the labels besides those of the subject, and the figure. */
type Reading = readonly [values: readonly string[], value: number];

/** A family that every cgroup has a part in; its labels are those besides the subject's. NaN leaves a series out. */
export type CgroupFamily = Family &
  (
    | { readonly readOne: (subject: CgroupSubject) => number | undefined }
    | { readonly readAll: (subject: CgroupSubject) => readonly Reading[] }
  );

/** One series for each cgroup; undefined and NaN leave it out. */
export function figure(
  name: string,
  type: MetricType,
  help: string,
  read: (subject: CgroupSubject) => number | undefined,
): CgroupFamily {
  return { name, type, help, labels: [], readOne: read };
}

/** Any number of series for each cgroup. */
export function figures(
  name: string,
  type: MetricType,
  help: string,
  labels: readonly string[],
  read: (subject: CgroupSubject) => readonly Reading[],
): CgroupFamily {
  return { name, type, help, labels, readAll: read };
}

export function sampleAll(
  families: readonly CgroupFamily[],
  subjects: readonly CgroupSubject[],
): readonly FamilySamples[] {
  return families.map((family) => ({ family, samples: samplesOf(family, subjects) }));
}

function samplesOf(family: CgroupFamily, subjects: readonly CgroupSubject[]): readonly Sample[] {
  const samples: Sample[] = [];
  for (const subject of subjects) {
    if ("readOne" in family) {
      const value = family.readOne(subject) ?? Number.NaN;
      if (!Number.isNaN(value)) samples.push({ labels: subject.labels, value });
      continue;
    }
    for (const [values, value] of family.readAll(subject)) {
      if (Number.isNaN(value)) continue;
      samples.push({ labels: `${subject.labels},${labelText(family.labels, values)}`, value });
    }
  }
  return samples;
}

/** A collector that only puts into series what was read of the cgroups. */
export function tableCollector(
  name: string,
  families: readonly CgroupFamily[],
  subjects: CgroupSubjects,
): Collector {
  return {
    group: "container",
    name,
    collect: async (snapshot: Snapshot) => sampleAll(families, await subjects.of(snapshot)),
  };
}
