import { type Dirent, readdirSync, statSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import type { CgroupLayout } from "./layout.ts";

/** Least time between two walks through the folders of all cgroups. */
const walkEveryMs = 250;
/** More are forgotten, those not asked for lately first. */
const mostTexts = 20_000;

/** The text of /proc/PID/cgroup by the ids that the kernel has for its cgroups. */
export interface CgroupTexts {
  /** @param key of `keyOf` */
  remember(key: number, text: string): void;
  /**
   * What was remembered; else what the folders of the cgroup mounts say, whose inodes are the ids: that text has one
   * line. Undefined for a cgroup that is gone, or out of sight of the agent's cgroup namespace.
   * @param unifiedId of the v2 hierarchy
   * @param memoryId of v1's memory controller; the same as the other's root when there is none
   */
  find(unifiedId: number, memoryId: number): string | undefined;
}

/** Both ids together: on a hybrid host either can change. */
export function cgroupKey(unifiedId: number, memoryId: number): number {
  return unifiedId + memoryId * 65_537;
}

export function createCgroupTexts(layout: CgroupLayout, monotonicMs: () => number): CgroupTexts {
  let recent = new Map<number, string>();
  let older = new Map<number, string>();
  let walked = new Map<number, string>();
  let lastWalk = Number.NEGATIVE_INFINITY;
  const isUnified = layout.version === "v2";
  const mount = isUnified ? layout.root : `${layout.root}/memory`;
  const remember = (key: number, text: string): void => {
    recent.set(key, text);
    if (recent.size <= mostTexts / 2) return;
    older = recent;
    recent = new Map();
  };
  const walk = (): void => {
    if (layout.version === "none" || monotonicMs() - lastWalk < walkEveryMs) return;
    lastWalk = monotonicMs();
    walked = listCgroups(mount);
  };
  return {
    remember,
    find: (unifiedId, memoryId) => {
      const key = cgroupKey(unifiedId, memoryId);
      const known = recent.get(key) ?? older.get(key);
      if (known !== undefined) return known;
      const id = isUnified ? unifiedId : memoryId;
      if (!walked.has(id)) walk();
      const path = walked.get(id);
      if (path === undefined) return undefined;
      const text = isUnified ? `0::${path}\n` : `1:memory:${path}\n`;
      remember(key, text);
      return text;
    },
  };
}

/** Inode of a cgroup's folder, which is its id, → path below the mount. */
function listCgroups(mount: string): Map<number, string> {
  const found = new Map<number, string>();
  const folders = ["/"];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      const path = `${mount}${folder}`;
      found.set(statSync(path).ino, folder);
      const own = folder === "/" ? "" : folder;
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if ((entry satisfies Dirent).isDirectory()) folders.push(`${own}/${entry.name}`);
      }
    } catch (error) {
      // Removed in the meantime, or not to be read: its processes stay without a container.
      if (systemCode(error) === undefined) throw error;
    }
  }
  return found;
}
