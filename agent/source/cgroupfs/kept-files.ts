import { closeSync, openSync, readFileSync, readSync, statfsSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import { openFilesLimit } from "../procfs/limits.ts";
import { type CgroupLayout, cgroupFolder } from "./layout.ts";

/** Of include/uapi/linux/magic.h. Only there does a descriptor tell that its file is gone (ENODEV). */
const CGROUP_SUPER_MAGIC = 0x27e0eb;
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** The kernel holds 4 KiB for each that has been read. */
const mostKept = 4096;
/** The rest of what the agent may open is for connections, and for processes' files. */
const shareOfLimit = 1 / 4;
/** A file that a cgroup has not is looked for again after so many rounds: controllers are switched on later, too. */
const absentRounds = 12;
/** More of one file is left out: it is text that the kernel makes of a few figures. */
const mostBytes = 64 * 1024;

/** The files of cgroups, round after round. What is read in each round stays open: opening costs more than reading. */
export interface KeptFiles {
  /**
   * Undefined where there is no such file, or it may not be read.
   * @param controller of v1; the unified hierarchy has none
   */
  text(controller: string | undefined, path: string, name: string): string | undefined;
  /** The same for what is read so seldom that it is not kept open. */
  textOnce(controller: string | undefined, path: string, name: string): string | undefined;
  /** Ends a round: closes the files of the cgroups of which it has read none. */
  sweep(): void;
}

/** A file of a cgroup: open, or not to be had. */
type Kept = { readonly fd: number } | { readonly absentIn: number };

interface KeptCgroup {
  /** By name, which begins with the controller's. */
  readonly files: Map<string, Kept>;
  readIn: number;
}

/**
 * @param readText a whole file; undefined when there is none or it may not be read
 * @param most descriptors that may be held
 */
export function createKeptFiles(
  layout: CgroupLayout,
  readText: (file: string) => string | undefined,
  most = mostDescriptors(),
): KeptFiles {
  const byPath = new Map<string, KeptCgroup>();
  const bytes = Buffer.allocUnsafeSlow(mostBytes);
  let round = 0;
  let open = 0;
  /** By the folder below the root at which a hierarchy is mounted. */
  const known = new Map<string, boolean>();
  const isCgroupfs = (hierarchy: string): boolean => {
    let is = known.get(hierarchy);
    if (is === undefined) {
      is = isMountOfCgroups(`${layout.root}/${hierarchy}`);
      known.set(hierarchy, is);
    }
    return is;
  };
  const textOnce = (controller: string | undefined, path: string, name: string): string | undefined => {
    const folder = cgroupFolder(layout, controller, path);
    return folder === undefined ? undefined : readText(`${folder}/${name}`);
  };
  /** Undefined when its cgroup is gone, or it cannot be read. */
  const readKept = (fd: number): string | undefined => {
    try {
      return bytes.toString("latin1", 0, readSync(fd, bytes, 0, mostBytes, 0));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  };
  const close = (kept: Kept): void => {
    if (!("fd" in kept)) return;
    open--;
    closeSync(kept.fd);
  };
  const openOne = (files: KeptCgroup["files"], folder: string, name: string): string | undefined => {
    const fd = openCgroupFile(`${folder}/${name}`);
    // Too many are open: it is tried again the next time.
    if (fd === "full") return undefined;
    if (fd !== "none") {
      const kept = { fd };
      open++;
      files.set(name, kept);
      const text = readKept(fd);
      if (text !== undefined) return text;
      close(kept);
    }
    files.set(name, { absentIn: round });
    return undefined;
  };
  return {
    textOnce,
    text: (controller, path, name) => {
      let cgroup = byPath.get(path);
      if (cgroup === undefined) {
        cgroup = { files: new Map(), readIn: round };
        byPath.set(path, cgroup);
      }
      cgroup.readIn = round;
      const kept = cgroup.files.get(name);
      if (kept !== undefined) {
        if ("fd" in kept) {
          const text = readKept(kept.fd);
          if (text !== undefined) return text;
        } else if (round - kept.absentIn < absentRounds) return undefined;
        close(kept);
        cgroup.files.delete(name);
      }
      const folder = cgroupFolder(layout, controller, path);
      if (folder === undefined || open >= most || !isCgroupfs(controller ?? ""))
        return textOnce(controller, path, name);
      return openOne(cgroup.files, folder, name);
    },
    sweep: () => {
      for (const [path, { files, readIn }] of byPath) {
        if (readIn === round) continue;
        files.forEach(close);
        byPath.delete(path);
      }
      round++;
    },
  };
}

function openCgroupFile(file: string): number | "none" | "full" {
  try {
    return openSync(file, "r");
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code === "EMFILE" || code === "ENFILE" || code === "ENOMEM" ? "full" : "none";
  }
}

function isMountOfCgroups(folder: string): boolean {
  try {
    const { type } = statfsSync(folder);
    return type === CGROUP_SUPER_MAGIC || type === CGROUP2_SUPER_MAGIC;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

/** Node has put the soft limit of its process up to the hard one. */
function mostDescriptors(): number {
  const limit = openFilesLimit(readFileSync("/proc/self/limits", "utf8"));
  return Math.min(mostKept, Math.floor((Number.isNaN(limit) ? 1024 : limit) * shareOfLimit));
}
