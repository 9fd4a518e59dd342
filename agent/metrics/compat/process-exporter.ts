import {
  groupStates,
  type NamedGroup,
  type NamedGroups,
  type ProportionalMemory,
  type ThreadGroup,
} from "../../named-groups.ts";
import type { Family } from "../families.ts";
import { createLabelTexts, labelText } from "../label-text.ts";
import type { Collector, FamilySamples, Sample } from "../samples.ts";
import {
  buildInfo,
  errorFamilies,
  groupFamilies,
  memoryBytes,
  otherGroups,
  type Reading,
  stateFamily,
  threadFamilies,
  waitFamily,
} from "./process-exporter-families.ts";

export interface NamedProcessParts {
  readonly sums: () => NamedGroups;
  /** None where single threads are not read. Where they are, they count in `states` too, as with the original. */
  readonly threads: () => Promise<readonly ThreadGroup[]>;
  readonly proportionalMemory: () => readonly ProportionalMemory[];
  readonly version: string;
}

/** The collectors of the group `namedprocess`: families as ncabatoff/process-exporter has them. */
export function createNamedProcessCollectors(parts: NamedProcessParts): readonly Collector[] {
  const group = "namedprocess";
  const ofGroups = groupFamilies.map(createSampler);
  const ofThreads = threadFamilies.map(createSampler);
  const ofMemory = createSampler(proportional);
  const build: FamilySamples = {
    family: buildInfo,
    samples: [
      { labels: labelText(buildInfo.labels, ["", goArch(), "linux", "", "", parts.version]), value: 1 },
    ],
  };
  return [
    {
      group,
      name: "groups",
      collect: async () => {
        const sums = parts.sums();
        const threads = await parts.threads();
        const subjects = sums.groups.map((one) => ({ subject: one, leading: [one.name] }));
        return [
          ...ofGroups.map((sample) => sample(subjects)),
          { family: stateFamily, samples: stateSamples(sums.groups, threads) },
          ...errorFamilies.map(({ family, read }) => ({
            family,
            samples: [{ labels: "", value: read(sums) }],
          })),
          build,
          { family: otherGroups, samples: [{ labels: "", value: sums.otherGroups }] },
        ];
      },
    },
    {
      group,
      name: "threads",
      collect: async () => {
        const groups = await parts.threads();
        const subjects = groups.flatMap(({ name, threads }) =>
          threads.map((thread) => ({ subject: thread, leading: [name, thread.name] })),
        );
        return [
          ...ofThreads.map((sample) => sample(subjects)),
          { family: waitFamily, samples: groups.flatMap(waitSamples) },
        ];
      },
    },
    {
      group,
      name: "smaps",
      collect: () => [
        ofMemory(parts.proportionalMemory().map((one) => ({ subject: one, leading: [one.name] }))),
      ],
    },
  ];
}

interface Labelled<S> {
  readonly subject: S;
  /** Values of the first labels. */
  readonly leading: readonly string[];
}

/** Makes the samples of a family; label texts are kept, since the same groups come again and again. */
function createSampler<S>({ family, readings }: { family: Family; readings: readonly Reading<S>[] }) {
  const texts = createLabelTexts(family.labels);
  return (subjects: readonly Labelled<S>[]): FamilySamples => {
    const samples: Sample[] = [];
    for (const { subject, leading } of subjects) {
      for (const { values, read } of readings) {
        const value = read(subject);
        if (!Number.isNaN(value)) samples.push({ labels: texts([...leading, ...values]), value });
      }
    }
    return { family, samples };
  };
}

const proportional = {
  family: memoryBytes,
  readings: [
    { values: ["proportionalResident"], read: (one: ProportionalMemory) => one.residentBytes },
    { values: ["proportionalSwapped"], read: (one: ProportionalMemory) => one.swappedBytes },
  ],
};

/** Processes in each state; where single threads are read, those of processes with several besides. */
function stateSamples(groups: readonly NamedGroup[], threads: readonly ThreadGroup[]): readonly Sample[] {
  const byName = new Map(threads.map((one) => [one.name, one.states]));
  return groups.flatMap(({ name, states }) =>
    groupStates.map((state, index) => ({
      labels: labelText(stateFamily.labels, [name, state]),
      value: (states[index] ?? 0) + (byName.get(name)?.[index] ?? 0),
    })),
  );
}

function waitSamples({ name, waits }: ThreadGroup): readonly Sample[] {
  return [...waits].map(([wchan, value]) => ({ labels: labelText(waitFamily.labels, [name, wchan]), value }));
}

/** As Go names it. */
function goArch(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
