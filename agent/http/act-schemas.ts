import type * as api from "../api.ts";
import { auditActions, signalOutcomes } from "../api.ts";
import { ref, selector, time, zombieParent } from "./schemas.ts";
import { z } from "./zod.ts";

// Requests

export const signalRequest = z.strictObject({
  selector,
  signal: z.string().min(1).max(16).optional().describe("TERM, SIGTERM or 15; TERM when left out"),
  graceSeconds: z.number().min(0).max(3600).optional().describe("wait so long for the end, then KILL"),
  tree: z.boolean().optional().describe("also all below it in the same container"),
  all: z.boolean().optional().describe("all that the selector fits; without it several are ambiguous"),
  wait: z.boolean().optional().describe("wait for the end, without KILL"),
  timeoutSeconds: z.number().min(0).max(3600).optional().describe("of wait and stop; 30 when left out"),
  stop: z
    .boolean()
    .optional()
    .describe(
      "no signal: the process manager, its label's stop command, or the engine for an init, stops it",
    ),
  dryRun: z.boolean().optional(),
}) satisfies z.ZodType<api.SignalRequest>;

export const auditQuery = z.strictObject({
  limit: z.coerce.number().int().min(0).max(10_000).default(100),
  container: z.string().min(1).optional().describe("name or id prefix"),
  user: z.string().min(1).optional().describe("name or uid"),
  action: z.enum(auditActions).optional(),
  follow: z.stringbool().optional().describe("true: go on with those to come, as server-sent events"),
}) satisfies z.ZodType<api.AuditQuery>;

// Answers

export const signalAnswer = z.object({
  action: z.literal("signal"),
  signal: z.string().nullable().describe("null: who stops it chooses"),
  dryRun: z.boolean(),
  targets: z.array(
    z.object({
      ref,
      name: z.string(),
      outcome: z.enum(signalOutcomes).nullable().describe("null in a dry run"),
      respawnedBy: z.string().nullable(),
      respawn: z.enum(["certain", "possible"]).nullable(),
      stoppedBy: z.string().nullable(),
      zombieOf: zombieParent.nullable(),
    }),
  ),
  warnings: z.array(z.string()),
}) satisfies z.ZodType<api.SignalAnswer>;

export const auditTail = z.object({
  records: z.array(
    z.object({
      time,
      id: z.string(),
      phase: z.enum(["intent", "outcome", "unfinished"]),
      actor: z
        .object({
          uid: z.number().nullable(),
          gid: z.number().nullable(),
          pid: z.number().nullable(),
          user: z.string().nullable(),
          from: z.string(),
        })
        .nullable(),
      action: z.enum(auditActions),
      selector: z.string(),
      refs: z.array(z.string()),
      container: z.string().nullable(),
      containerName: z.string().nullable(),
      how: z.string().nullable(),
      argv: z.array(z.string()).readonly().optional().describe("of exec and attach, secrets masked"),
      outcome: z.string().nullable(),
      exitCode: z.number().nullable().describe("of the command of exec and attach; null for all else"),
      message: z.string().nullable(),
    }),
  ),
}) satisfies z.ZodType<api.AuditTail>;
