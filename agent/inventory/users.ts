import { readFileSync, statSync } from "node:fs";
import { systemCode } from "../errors.ts";

/** How long the file's time of change is trusted. */
const checkEveryMs = 10_000;

/** User names by id from the host's /etc/passwd (passwd(5)), as ps(1) shows them; undefined for ids without a name. */
export interface UserNames {
  nameOf(id: number): string | undefined;
}

/**
 * @param rootfs where the host's root is mounted
 * @param now milliseconds
 */
export function createUserNames(rootfs: string, now: () => number): UserNames {
  const file = `${rootfs === "/" ? "" : rootfs}/etc/passwd`;
  let names: ReadonlyMap<number, string> = new Map();
  let changedAt = Number.NaN;
  let checkedAt = Number.NEGATIVE_INFINITY;
  return {
    nameOf: (id) => {
      if (now() - checkedAt > checkEveryMs) {
        checkedAt = now();
        try {
          const { mtimeMs } = statSync(file);
          if (mtimeMs !== changedAt) names = parsePasswd(readFileSync(file, "utf8"));
          changedAt = mtimeMs;
        } catch (error) {
          if (systemCode(error) === undefined) throw error;
          // Without the file, ids are shown instead of names.
          names = new Map();
        }
      }
      return names.get(id);
    },
  };
}

/** `root:x:0:0:root:/root:/bin/bash`: the first name of an id wins. */
export function parsePasswd(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (!name || id === undefined || !/^\d{1,10}$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
