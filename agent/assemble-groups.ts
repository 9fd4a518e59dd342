import { readFileSync } from "node:fs";
import type { Config } from "./config.ts";
import { AgentError, reasonOf } from "./errors.ts";
import { createProcessGroups, type ProcessGroups } from "./inventory/process-groups/groups.ts";
import { createGroupNamer } from "./inventory/process-groups/namer.ts";
import { createProportionalSums } from "./inventory/process-groups/proportional-sums.ts";
import { defaultRules, type GroupRule } from "./inventory/process-groups/rules.ts";
import { createThreadSums } from "./inventory/process-groups/thread-sums.ts";
import { createUserNames } from "./inventory/users.ts";
import type { Logger } from "./log.ts";
import type { NamedProcessReadings } from "./metrics/compat/process-exporter.ts";
import { seriesOfGroup } from "./metrics/compat/process-exporter-families.ts";
import type { KernelUnits } from "./model.ts";
import { createBlockingReader } from "./source/procfs/blocking-reader.ts";
import { parseBootSeconds } from "./source/procfs/kernel-units.ts";
import type { ProcessFiles } from "./source/procfs/process-files.ts";
import { createTaskReader } from "./source/procfs/task-files.ts";

/** A process of a million mappings is read in less; one that takes longer hangs. */
const smapsLimitMs = 5_000;

/**
 * The rules by which processes are grouped for namedprocess_*.
 * @throws AgentError `bad_request` that names the file, the line and what is wrong
 */
export async function loadGroupRules(config: Config, log: Logger): Promise<readonly GroupRule[]> {
  const file = config.processExporterConfig;
  if (file === undefined || !config.metricsFamilies.has("namedprocess")) return defaultRules();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new AgentError("bad_request", `--process-exporter.config: ${reasonOf(error)}`, { cause: error });
  }
  // YAML and RE2 are a tenth of a second and ten megabytes, which only those who have a file pay.
  const { parseGroupConfig } = await import("./inventory/process-groups/config.ts");
  const { rules, remarks } = parseGroupConfig(text, file);
  for (const remark of remarks) log.warn(remark);
  return rules;
}

/** The groups of processes, with what is read of them besides scans. */
export interface AssembledGroups extends NamedProcessReadings {
  readonly groups: ProcessGroups;
  /** To be called after each scan. */
  observe(): void;
  close(): void;
}

/** Undefined while nobody wants namedprocess_*. */
export function assembleGroups(
  config: Config,
  rules: readonly GroupRule[],
  units: KernelUnits,
  files: ProcessFiles,
  monotonicMs: () => number,
): AssembledGroups | undefined {
  const collectors = config.metricsFamilies.get("namedprocess");
  if (collectors === undefined) return undefined;
  const groups = createGroups(config, rules, units, files);
  const { members } = groups;
  const tasks = createTaskReader(config.pathProcfs);
  const memory = collectors.has("smaps")
    ? createProportionalSums({
        reader: createBlockingReader(smapsLimitMs),
        root: config.pathProcfs,
        members,
        monotonicMs,
      })
    : undefined;
  return {
    groups,
    sums: groups.sums,
    threads: collectors.has("threads")
      ? createThreadSums({ tasks, ticksPerSecond: units.ticksPerSecond, members })
      : () => Promise.resolve([]),
    proportionalMemory: () => memory?.sums() ?? [],
    observe: () => memory?.observe(),
    close: () => memory?.close(),
  };
}

function createGroups(
  config: Config,
  rules: readonly GroupRule[],
  units: KernelUnits,
  files: ProcessFiles,
): ProcessGroups {
  // The start of a group is what the original computes, which takes the kernel's whole seconds.
  const bootSeconds =
    parseBootSeconds(readFileSync(`${config.pathProcfs}/stat`, "latin1")) ?? Math.floor(units.bootSeconds);
  const users = createUserNames(config.pathRootfs, Date.now);
  return createProcessGroups({
    namer: createGroupNamer({
      rules,
      userName: users.nameOf,
      workingFolder: (pid) => readFolder(pid, files),
      bootSeconds,
      ticksPerSecond: units.ticksPerSecond,
    }),
    units,
    bootSeconds,
    children: config.processExporterChildren,
    recheck: config.processExporterRecheck,
    removeEmptyGroups: config.processExporterRemoveEmptyGroups,
    // Of these the smallest are summed when they are shown; this is for names without end.
    maxGroups: Math.floor(config.metricsMaxSeries / seriesOfGroup),
  });
}

function readFolder(pid: number, files: ProcessFiles): string | undefined {
  try {
    return files.readLink(pid, "cwd");
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}
