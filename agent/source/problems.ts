import type { Problem } from "../model.ts";

/** Collects what went wrong in one scan: one entry for each kind and place, however often it happened. */
export interface ProblemCollector {
  add(kind: Problem["kind"], where: string, reason: string): void;
  list(): readonly Problem[];
}

export function createProblems(): ProblemCollector {
  const byPlace = new Map<string, Problem>();
  return {
    add: (kind, where, reason) => {
      const key = `${kind} ${where}`;
      const known = byPlace.get(key);
      byPlace.set(key, { kind, where, reason: known?.reason ?? reason, count: (known?.count ?? 0) + 1 });
    },
    list: () => [...byPlace.values()],
  };
}
