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
import { otherLabel } from "../smallest-fold.ts";
import { createGroupFold } from "./group-fold.ts";
import {
  buildInfo,
  errorFamilies,
  groupFamilies,
  memoryBytes,
  otherGroups,
  type Reading,
  seriesOfGroup,
  stateFamily,
  threadFamilies,
  waitFamily,
} from "./process-exporter-families.ts";

/** What is read of groups. */
export interface NamedProcessReadings {
  readonly sums: () => NamedGroups;
  /** None where single threads are not read. Where they are, they count in `states` too, as with the original. */
  readonly threads: () => Promise<readonly ThreadGroup[]>;
  readonly proportionalMemory: () => readonly ProportionalMemory[];
}

export interface NamedProcessParts extends NamedProcessReadings {
  readonly version: string;
  /** Series that the families may have. */
  readonly mostSeries: () => number;
}

/** The rest is for threads. */
const shareOfGroups = 0.8;

/** The collectors of the group `namedprocess`: families as ncabatoff/process-exporter has them. */
export function createNamedProcessCollectors(parts: NamedProcessParts): readonly Collector[] {
  const group = "namedprocess";
  const ofGroups = groupFamilies.map(createSampler);
  const ofThreads = threadFamilies.map(createSampler);
  const ofMemory = createSampler(proportional);
  const stateTexts = createLabelTexts(
    stateFamily.labels,
    groupStates.map((state) => [state]),
  );
  const fold = createGroupFold();
  /** Groups in the sum of the smallest: of threads and of shared memory it is told for the others only. */
  let folded: ReadonlySet<string> = new Set();
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
        const found = fold(sums.groups, Math.floor((parts.mostSeries() * shareOfGroups) / seriesOfGroup));
        folded = new Set(found.folded.map(({ name }) => name));
        const groups = found.other === undefined ? found.kept : [...found.kept, found.other];
        const threads = await parts.threads();
        const subjects = groups.map((one) => ({ subject: one, leading: [one.name] }));
        return [
          ...ofGroups.map((sample) => sample(subjects)),
          { family: stateFamily, samples: stateSamples(groups, underOther(threads, folded), stateTexts) },
          ...errorFamilies.map(({ family, read }) => ({
            family,
            samples: [{ labels: "", value: read(sums) }],
          })),
          build,
          { family: otherGroups, samples: [{ labels: "", value: sums.otherGroups + folded.size }] },
        ];
      },
    },
    {
      group,
      name: "threads",
      collect: async () => {
        const groups = (await parts.threads()).filter(({ name }) => !folded.has(name));
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
        ofMemory(
          parts
            .proportionalMemory()
            .filter(({ name }) => !folded.has(name))
            .map((one) => ({ subject: one, leading: [one.name] })),
        ),
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
  const textsOf = createLabelTexts(
    family.labels,
    readings.map(({ values }) => values),
  );
  return (subjects: readonly Labelled<S>[]): FamilySamples => {
    const samples: Sample[] = [];
    for (const { subject, leading } of subjects) {
      const texts = textsOf(leading, subjects.length);
      for (let index = 0; index < readings.length; index++) {
        const value = readings[index]?.read(subject) ?? Number.NaN;
        if (!Number.isNaN(value)) samples.push({ labels: texts[index] ?? "", value });
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

/** Threads of folded groups count in the states of their sum. */
function underOther(threads: readonly ThreadGroup[], folded: ReadonlySet<string>): readonly ThreadGroup[] {
  return threads.map((one) => (folded.has(one.name) ? { ...one, name: otherLabel } : one));
}

/** Processes in each state; where single threads are read, those of processes with several besides. */
function stateSamples(
  groups: readonly NamedGroup[],
  threads: readonly ThreadGroup[],
  textsOf: ReturnType<typeof createLabelTexts>,
): readonly Sample[] {
  const byName = new Map<string, number[]>();
  for (const one of threads) {
    const sums = byName.get(one.name) ?? groupStates.map(() => 0);
    byName.set(
      one.name,
      sums.map((sum, index) => sum + (one.states[index] ?? 0)),
    );
  }
  return groups.flatMap(({ name, states }) =>
    textsOf([name], groups.length).map((labels, index) => ({
      labels,
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
