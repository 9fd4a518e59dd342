import { statSync } from "node:fs";
import { createFileReader, type FileReader } from "../procfs/files.ts";
import { parsePressureAccount } from "./account-files.ts";
import { type AccountFiles, defined, keyed } from "./account-texts.ts";
import type { CgroupAccounts, PressureResource } from "./accounting.ts";
import { controllerAccounts } from "./accounts-v1.ts";
import { unifiedAccounts } from "./accounts-v2.ts";
import { createKeptFiles } from "./kept-files.ts";
import { type CgroupLayout, cgroupFolder } from "./layout.ts";

export interface AccountParts {
  readonly layout: CgroupLayout;
  readonly procRoot: string;
  readonly ticksPerSecond: number;
}

export function createAccounts(parts: AccountParts): CgroupAccounts {
  const { layout, procRoot } = parts;
  const reader = createFileReader(64 * 1024);
  const kept = createKeptFiles(layout, (file) => readText(reader, file));
  const files: AccountFiles = {
    ...kept,
    proc: (name) => readText(reader, `${procRoot}/${name}`),
  };
  const isUnified = layout.version === "v2";
  const accounts = isUnified ? unifiedAccounts(files) : controllerAccounts(files, parts.ticksPerSecond);
  return {
    ...accounts,
    stat: (path) => statOf(layout, path),
    lifeOf: kept.lifeOf,
    sweep: kept.sweep,
    oomKills: (path) => {
      // No file of the root cgroup has it; this is the whole host's.
      if (path === "/") return defined(keyed(files.proc("vmstat") ?? "")("oom_kill"));
      return accounts.oomKills(path);
    },
    pressure: (path, resource: PressureResource) => {
      if (path === "/") {
        const text = files.proc(`pressure/${resource}`);
        return text === undefined ? undefined : parsePressureAccount(text);
      }
      // v1 has none but the host's.
      return isUnified
        ? files.parsed(undefined, path, `${resource}.pressure`, parsePressureAccount)
        : undefined;
    },
  };
}

function readText(reader: FileReader, path: string): string | undefined {
  const length = reader.read(path);
  return typeof length === "string" ? undefined : reader.bytes.toString("latin1", 0, length);
}

function statOf(layout: CgroupLayout, path: string): ReturnType<CgroupAccounts["stat"]> {
  const controllers = layout.version === "v2" ? [undefined] : ["memory", "cpuacct"];
  for (const controller of controllers) {
    const folder = cgroupFolder(layout, controller, path);
    const found = folder === undefined ? undefined : statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined) return { changedMs: found.mtimeMs, inode: found.ino };
  }
  return undefined;
}
