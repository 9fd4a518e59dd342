import { counterColumns } from "../../model.ts";

/** Where groups beyond the bound are summed. */
const otherGroup = "other";
/** A group without members makes room for a new one after so long. */
const forgetAfterMs = 15 * 60_000;

/** A group of processes. */
export interface Group {
  readonly name: string;
  /** `other`, for one that is summed there; its counters are the same then. */
  readonly into: Group | undefined;
  /** In the order of `counterColumns`; other than CPU time NaN until a member's figure could be read. */
  readonly counters: Float64Array;
  /** Members of the last scan. */
  members: number;
  /** When it last had a member, in milliseconds since the epoch. */
  occupiedAt: number;
  /** Its place among those shown, while they are summed. */
  place: number;
}

/** Row → its group; null: it has none, for its life; undefined: not decided yet. */
export type GroupRows = readonly (Group | null | undefined)[];

/**
 * The groups by name. Their number is bounded: names are made of what processes call themselves, and those could make up
 * endless ones. The first ones stay what they are; those for which no room is left are summed into `other`, whose counters
 * do not fall either.
 */
export interface GroupTable {
  get(name: string, nowMs: number): Group;
  /** Those that are shown. */
  shown(): Iterable<Group>;
  /** How many that have members are summed into `other`. */
  summed(): number;
  /** To be called when members are counted. */
  sweep(nowMs: number): void;
}

/** @param removeEmpty forget a group with its last member */
export function createGroupTable(maxGroups: number, removeEmpty: boolean): GroupTable {
  const own = new Map<string, Group>();
  const beyond = new Map<string, Group>();
  let fullAt = Number.NEGATIVE_INFINITY;

  const makeRoom = (nowMs: number): boolean => {
    if (own.size < maxGroups) return true;
    // Looked for once a second at most: with many new names a second that would be a walk for each of them.
    if (nowMs - fullAt < 1000) return false;
    fullAt = nowMs;
    for (const [name, group] of own) {
      const isOld = group.members === 0 && nowMs - group.occupiedAt > forgetAfterMs;
      if (isOld && name !== otherGroup) own.delete(name);
    }
    return own.size < maxGroups;
  };
  const get = (name: string, nowMs: number): Group => {
    const known = own.get(name) ?? beyond.get(name);
    if (known !== undefined) return known;
    const hasRoom = name === otherGroup || makeRoom(nowMs);
    const made = newGroup(name, nowMs, hasRoom ? undefined : get(otherGroup, nowMs));
    (hasRoom ? own : beyond).set(name, made);
    return made;
  };
  return {
    get,
    shown: () => own.values(),
    summed: () => beyond.size,
    sweep: (nowMs) => {
      for (const group of own.values()) {
        if (group.members > 0) group.occupiedAt = nowMs;
        else if (removeEmpty) own.delete(group.name);
      }
      for (const group of beyond.values()) {
        if (group.members === 0) beyond.delete(group.name);
        else if (group.into !== undefined) group.into.occupiedAt = nowMs;
      }
    },
  };
}

function newGroup(name: string, nowMs: number, into: Group | undefined): Group {
  const counters =
    into?.counters ??
    // CPU time can always be read.
    Float64Array.from(counterColumns, (column) => (column.endsWith("Seconds") ? 0 : Number.NaN));
  return { name, into, counters, members: 0, occupiedAt: nowMs, place: 0 };
}
