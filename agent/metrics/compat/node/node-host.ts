import type { Snapshot } from "../../../model.ts";
import type { HostFiles } from "../../../source/host/host-files.ts";
import type { Uname, Zone } from "../../../source/host/identity.ts";
import type { SpaceReader } from "../../../source/host/space-reader.ts";
import type { Timex } from "../../../source/host/timex.ts";
import type { Family, MetricType } from "../../families.ts";
import { labelText } from "../../label-text.ts";
import type { Collector, FamilySamples, Sample } from "../../samples.ts";

/** What the collectors of `node_*` read by. */
export interface NodeHost {
  readonly files: HostFiles;
  readonly space: SpaceReader;
  /** The kernel's clock; undefined when the agent cannot ask for it. */
  readonly readClock: (() => KernelClock) | undefined;
  readonly readUname: () => Uname;
  readonly readZone: () => Zone;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly ticksPerSecond: number;
  readonly pageBytes: number;
}

/** What adjtimex(2) answers. */
export interface KernelClock {
  readonly state: number;
  readonly timex: Timex;
}

export function nodeCollector(name: string, collect: Collector["collect"]): Collector {
  return { group: "node", name, collect };
}

function make(type: MetricType) {
  return (name: string, help: string, ...labels: readonly string[]): Family => ({ name, type, help, labels });
}
export const gauge = make("gauge");
export const counter = make("counter");
export const untyped = make("untyped");

/** A family with one series at most, which has no labels. */
export function single(family: Family, value: number | undefined): FamilySamples {
  return { family, samples: value === undefined ? [] : [{ labels: "", value }] };
}

/** @param values of the family's labels, in their order */
function sample(family: Family, values: readonly string[], value: number): Sample {
  return { labels: labelText(family.labels, values), value };
}

/** A family of series that differ by their labels; what is undefined is left out. */
export function series<T>(
  family: Family,
  items: Iterable<T>,
  one: (item: T) => readonly [values: readonly string[], value: number | undefined],
): FamilySamples {
  const samples: Sample[] = [];
  for (const item of items) {
    const [values, value] = one(item);
    if (value !== undefined) samples.push(sample(family, values, value));
  }
  return { family, samples };
}

/** Reads once for a snapshot what several collectors want. */
export function oncePerSnapshot<T>(read: () => T): (snapshot: Snapshot) => T {
  let last: { readonly snapshot: Snapshot; readonly value: T } | undefined;
  return (snapshot) => {
    if (last?.snapshot !== snapshot) last = { snapshot, value: read() };
    return last.value;
  };
}
