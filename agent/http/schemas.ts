import type * as api from "../api.ts";
import { driverNames, eventTypes, processSorts } from "../api.ts";
import { containerStates, processStates } from "../model.ts";
import { z } from "./zod.ts";

const figure = z.number();
const readable = z.number().nullable().describe("null: could not be read");
export const time = z.iso.datetime();
export const ref = z
  .string()
  .regex(/^\d+@\d+$/)
  .describe("PID and start ticks: one life of a PID");
const cpuSeconds = z.object({ user: figure, system: figure });

export const selector = z
  .string()
  .min(1)
  .max(512)
  .describe("4242 (PID), 4242@183746 (ref), web (container), web/nginx (program), web:7 (PID inside)");

// Requests

export const processQuery = z.strictObject({
  selector: selector.optional(),
  container: z.string().min(1).optional().describe("name or id prefix"),
  program: z.string().min(1).optional(),
  name: z.string().min(1).optional().describe("comm of the process, exactly"),
  user: z.string().min(1).optional().describe("name or id"),
  state: z.enum(processStates).optional(),
  sort: z.enum(processSorts).optional(),
  order: z.enum(["asc", "desc"]).optional(),
  limit: z.coerce.number().int().min(1).max(1_000_000).optional(),
}) satisfies z.ZodType<api.ProcessQuery>;

export const eventQuery = z.strictObject({
  container: z.string().min(1).optional().describe("name or id prefix"),
  program: z.string().min(1).optional(),
  type: z.enum(eventTypes).optional(),
  last: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe("so many of the remembered events first; none when left out"),
  follow: z.stringbool().optional().describe("false: end when these have been told"),
}) satisfies z.ZodType<api.EventQuery>;

export const noQuery = z.strictObject({});

export const restartRequest = z.strictObject({
  selector,
  driver: z.enum(driverNames).optional(),
  settleSeconds: z
    .number()
    .min(0)
    .max(600)
    .optional()
    .describe("how long the new process has to live; 2 when left out"),
  dryRun: z.boolean().optional(),
}) satisfies z.ZodType<api.RestartRequest>;

// Answers

const containerName = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string().nullable(),
  runtime: z.string().nullable(),
});

const processFields = {
  ref,
  pid: figure,
  startTicks: figure,
  startedAt: time,
  parentPid: figure,
  containerPid: z.number().nullable(),
  name: z.string(),
  command: z.array(z.string()).readonly().nullable(),
  state: z.enum(processStates),
  user: z.object({ id: figure, name: z.string().nullable() }).nullable(),
  container: containerName.nullable(),
  program: z.string(),
  cpuSeconds,
  cpuCores: readable,
  residentBytes: figure,
  virtualBytes: figure,
  swapBytes: readable,
  threads: figure,
  openFiles: readable,
  openFilesLimit: readable,
  readBytes: readable,
  writtenBytes: readable,
};

const managedRecord = z.object({
  container: containerName,
  program: z.string(),
  manager: z.string(),
  state: z.string().describe("in the manager's own words"),
  condition: z.enum(["running", "stopped", "changing", "failed"]),
  pid: readable,
  remark: z.string().nullable(),
}) satisfies z.ZodType<api.ManagedRecord>;

const processRecord = z.object(processFields) satisfies z.ZodType<api.ProcessRecord>;

export const processList = z.object({
  takenAt: time,
  total: figure,
  processes: z.array(processRecord),
  managed: z.array(managedRecord),
}) satisfies z.ZodType<api.ProcessList>;

const processName = z.object({ ref, name: z.string() });
export const zombieParent = z.object({
  ref,
  name: z.string(),
  hint: z.string().describe("what would remove the entry"),
}) satisfies z.ZodType<api.ZombieParent>;
const resourceLimit = z.object({
  name: z.string(),
  soft: readable,
  hard: readable,
  unit: z.string().nullable(),
});

export const processDetail = z.object({
  ...processFields,
  ancestors: z.array(processName),
  children: z.array(processName),
  limits: z.array(resourceLimit).nullable(),
  faults: z.object({ minor: readable, major: readable }),
  contextSwitches: z.object({ voluntary: readable, involuntary: readable }),
  cpuPercentNow: readable,
  managed: managedRecord.nullable(),
  zombieOf: zombieParent.nullable(),
  restart: z.object({ driver: z.enum(driverNames).nullable(), plan: z.string() }),
}) satisfies z.ZodType<api.ProcessDetail>;

const resources = z.object({
  cpuSeconds: cpuSeconds.nullable(),
  cpuSecondsTotal: readable,
  throttledSeconds: readable,
  cpuLimitCores: readable,
  memoryBytes: readable,
  memoryWorkingSetBytes: readable,
  memoryLimitBytes: readable,
  pids: readable,
  pidsLimit: readable,
  readBytes: readable,
  writtenBytes: readable,
});

const programRecord = z.object({
  name: z.string(),
  processes: figure,
  threads: figure,
  cpuSeconds,
  cpuCores: readable,
  residentBytes: figure,
  openFiles: readable,
  startedAt: time.nullable(),
});

export const containerRecord = z.object({
  ...containerName.shape,
  state: z.enum(containerStates),
  known: z.boolean(),
  labels: z.record(z.string(), z.string()),
  initPid: z.number().nullable(),
  startedAt: time.nullable(),
  restartCount: z.number().nullable(),
  restartPolicy: z.string().nullable(),
  exitCode: z.number().nullable(),
  oomKilled: z.boolean(),
  processes: figure,
  zombies: figure,
  cpuCores: figure,
  resources: resources.nullable(),
  programs: z.array(programRecord),
  managed: z.array(managedRecord),
}) satisfies z.ZodType<api.ContainerRecord>;

export const containerList = z.object({
  takenAt: time,
  total: figure,
  containers: z.array(containerRecord),
}) satisfies z.ZodType<api.ContainerList>;

const runtime = z.object({
  name: z.string(),
  endpoint: z.string(),
  available: z.boolean(),
  version: z.string().nullable(),
  reason: z.string().nullable(),
}) satisfies z.ZodType<api.RuntimeRecord>;

const hostFacts = z.object({
  hostname: z.string(),
  os: z
    .object({ distribution: z.string(), release: z.string(), kernel: z.string(), arch: z.string() })
    .nullable(),
  cpus: figure,
  uptimeSeconds: figure,
  load: z.object({ one: figure, five: figure, fifteen: figure, cpuPercent: readable }),
  memory: z
    .object({ totalBytes: figure, availableBytes: figure, swapTotalBytes: figure, swapFreeBytes: figure })
    .nullable(),
  disks: z
    .array(
      z.object({
        device: z.string(),
        mountpoint: z.string(),
        type: z.string(),
        sizeBytes: figure,
        usedBytes: figure,
      }),
    )
    .nullable(),
  network: z.array(z.object({ interface: z.string(), receivedBytes: figure, sentBytes: figure })).nullable(),
}) satisfies z.ZodType<api.HostFacts>;

export const hostReport = z.object({
  version: z.string(),
  takenAt: time.nullable(),
  source: z.string(),
  sourceReason: z.string().nullable(),
  events: z.object({ source: z.string(), reason: z.string().nullable(), lost: figure }),
  cgroupVersion: z.enum(["v1", "v2", "hybrid", "none"]),
  runtimes: z.array(runtime),
  processes: figure,
  containers: figure,
  problems: z.array(
    z.object({
      kind: z.enum(["refused", "unreadable", "malformed"]),
      where: z.string(),
      reason: z.string(),
      count: figure,
    }),
  ),
  facts: hostFacts,
}) satisfies z.ZodType<api.HostReport>;

export const restartAnswer = z.object({
  action: z.literal("restart"),
  driver: z.enum(driverNames),
  plan: z.string(),
  warnings: z.array(z.string()),
  dryRun: z.boolean(),
  old: z.array(ref),
  new: z.array(ref),
  seconds: figure,
}) satisfies z.ZodType<api.RestartAnswer>;

export const health = z.object({ status: z.string() });

export const readiness = z.object({
  ready: z.boolean(),
  reason: z.string().nullable(),
  snapshotAgeSeconds: z.number().nullable(),
  runtimes: z.array(runtime),
}) satisfies z.ZodType<api.Readiness>;

export const problemDocument = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: figure,
  code: z.string(),
  detail: z.string(),
}) satisfies z.ZodType<api.ProblemDocument>;
