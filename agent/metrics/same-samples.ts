import type { FamilySamples, Sample } from "./samples.ts";

/**
 * What is the same as the time before is the same object again. Samples live until the next collection, by when they are old, and
 * V8 would have to mark its whole heap to collect them; most stay as they are.
 */
export function createSameSamples(): (families: readonly FamilySamples[]) => readonly FamilySamples[] {
  let last: readonly FamilySamples[] = [];
  return (families) => {
    // A family can be left out, and its neighbours stand elsewhere then.
    const before = new Map(last.map((one) => [one.family.name, one]));
    last = families.map((one) => sameFamily(before.get(one.family.name), one));
    return last;
  };
}

function sameFamily(before: FamilySamples | undefined, now: FamilySamples): FamilySamples {
  if (before === undefined) return now;
  const samples = sameSamples(before.samples, now.samples);
  if (before.family === now.family && samples === before.samples) return before;
  return { family: now.family, samples };
}

function sameSamples(before: readonly Sample[], now: readonly Sample[]): readonly Sample[] {
  let isSame = before.length === now.length;
  const samples: Sample[] = [];
  for (let index = 0; index < now.length; index++) {
    const sample = sameSample(before[index], now[index]);
    isSame &&= sample === before[index];
    if (sample !== undefined) samples.push(sample);
  }
  return isSame ? before : samples;
}

function sameSample(before: Sample | undefined, now: Sample | undefined): Sample | undefined {
  return before !== undefined && before.labels === now?.labels && Object.is(before.value, now.value)
    ? before
    : now;
}
