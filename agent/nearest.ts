import { distance } from "fastest-levenshtein";

/** The name that a mistyped one most likely meant; undefined when none is near. */
export function nearest(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(typed.length / 3)) + 1;
  for (const name of names) {
    const edits = distance(typed, name);
    if (edits < least) {
      best = name;
      least = edits;
    }
  }
  return best;
}
