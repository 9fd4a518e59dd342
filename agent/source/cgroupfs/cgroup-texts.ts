import { type Dirent, readdirSync, statSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import { type CgroupLayout, cgroupFolder } from "./layout.ts";

/** More are forgotten, those not asked for lately first. */
const mostTexts = 20_000;

/** The text of /proc/PID/cgroup by the ids that the kernel has for its cgroups. */
export interface CgroupTexts {
  /**
   * Takes a text that was read of a process in this cgroup.
   * @returns false when it is another cgroup's, as the inode of the cgroup's folder tells: the file of a process that is
   *   ending says "/" in v1 hierarchies, and a process can move between two looks
   */
  learn(unifiedId: number, memoryId: number, text: string): boolean;
  /**
   * What was remembered; else what the folders of the cgroup mounts say, whose inodes are the ids: that text has one
   * line. Undefined for a cgroup that is gone, or out of sight of the agent's cgroup namespace.
   * @param unifiedId of the v2 hierarchy
   * @param memoryId of v1's memory controller; the same as the other's root when there is none
   */
  find(unifiedId: number, memoryId: number): string | undefined;
  /**
   * Lets `find` walk through the folders of all cgroups once more. For the beginning of a round of lookups: one walk
   * then shows every cgroup that its processes can have been in and that is still there.
   */
  beginRound(): void;
}

/** Both ids together: on a hybrid host either can change. */
export function cgroupKey(unifiedId: number, memoryId: number): number {
  return unifiedId + memoryId * 65_537;
}

export function createCgroupTexts(layout: CgroupLayout): CgroupTexts {
  let recent = new Map<number, string>();
  let older = new Map<number, string>();
  let walked = new Map<number, string>();
  let mayWalk = true;
  const isUnified = layout.version === "v2";
  const mount = isUnified ? layout.root : `${layout.root}/memory`;
  const remember = (key: number, text: string): void => {
    recent.set(key, text);
    if (recent.size <= mostTexts / 2) return;
    older = recent;
    recent = new Map();
  };
  const walk = (): void => {
    if (layout.version === "none" || !mayWalk) return;
    mayWalk = false;
    walked = listCgroups(mount);
  };
  const isOf = (unifiedId: number, memoryId: number, text: string): boolean => {
    const shown = pathOf(text, isUnified);
    const folder = shown && cgroupFolder(layout, isUnified ? undefined : "memory", shown);
    const inode = folder && statSync(folder, { throwIfNoEntry: false })?.ino;
    // Out of sight of the agent's cgroup namespace: then nobody knows better.
    return inode === undefined || inode === (isUnified ? unifiedId : memoryId);
  };
  return {
    learn: (unifiedId, memoryId, text) => {
      const key = cgroupKey(unifiedId, memoryId);
      if ((recent.get(key) ?? older.get(key)) === text) return true;
      if (!isOf(unifiedId, memoryId, text)) return false;
      remember(key, text);
      return true;
    },
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
    beginRound: () => {
      mayWalk = true;
    },
  };
}

/** The path in the hierarchy whose ids are compared: v2's line has no controllers. */
function pathOf(text: string, isUnified: boolean): string | undefined {
  for (const line of text.split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path !== "" && (isUnified ? controllers === "" : controllers.split(",").includes("memory")))
      return path;
  }
  return undefined;
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
