import type * as api from "../api.ts";
import { byteEncodings } from "../api.ts";
import { z } from "./zod.ts";

/** What the kernel takes as one string of an argument vector or environment (execve(2)): no NUL, at most 128 KiB. */
const argument = z
  .string()
  .max(128 * 1024)
  .refine((text) => !text.includes("\0"), { error: "must not contain NUL" });

const command = {
  container: z.string().min(1).max(512).describe("name or id prefix"),
  argv: z
    .array(argument)
    .min(1)
    .max(4096)
    .refine(([program]) => program !== "", { error: "must begin with a program" })
    .describe("argument vector; no shell reads it"),
  user: argument.min(1).optional().describe("name, uid or uid:gid; the container's own when left out"),
  workdir: argument
    .startsWith("/", { error: "must be an absolute path" })
    .optional()
    .describe("absolute path in the container; its own when left out"),
};

const variableName = argument.refine((name) => name !== "" && !name.includes("="), {
  error: "must not be empty or contain =",
});

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const execRequest = z
  .strictObject({
    ...command,
    env: z
      .record(variableName, argument)
      .optional()
      .describe("name → value, added to the container's environment"),
    stdin: z.string().optional().describe("what the command reads; without it /dev/null"),
    stdinEncoding: z.enum(byteEncodings).optional().describe("utf8 when left out"),
    timeoutSeconds: z
      .number()
      .gt(0)
      .max(3600)
      .optional()
      .describe("after so long the command is ended; 60 when left out"),
    maxOutputBytes: z
      .number()
      .int()
      .min(0)
      .max(16 << 20)
      .optional()
      .describe("of stdout and of stderr; what writes more is ended. 1 MiB when left out"),
  })
  .refine(({ stdin = "", stdinEncoding }) => stdinEncoding !== "base64" || base64.test(stdin), {
    path: ["stdin"],
    error: "is no base64",
  }) satisfies z.ZodType<api.ExecRequest>;

export const execAnswer = z.object({
  exitCode: z
    .number()
    .nullable()
    .describe(
      "126 or 127 also when it could not be started: stderr says why. null: the container was stopped",
    ),
  stdout: z.string(),
  stderr: z.string(),
  encoding: z.enum(byteEncodings).describe("of both: base64 as soon as one is not UTF-8"),
  truncated: z.boolean().describe("it wrote more than maxOutputBytes and was ended; this is the beginning"),
  timedOut: z.boolean().describe("it ran longer than timeoutSeconds and was ended"),
}) satisfies z.ZodType<api.ExecAnswer>;

/** `struct winsize` of ioctl_tty(2) has 16 bits for each. */
const cells = z.coerce.number().int().min(1).max(65_535);

export const attachQuery = z.strictObject({
  ...command,
  argv: command.argv.describe("argv=vi&argv=/etc/motd: argument vector; no shell reads it"),
  env: z
    .array(argument.regex(/^[^=]+=/s, { error: "must be NAME=value" }))
    .max(1024)
    .optional()
    .describe("env=NAME=value, repeated; TERM=xterm when none is given"),
  cols: cells.optional().describe("80 when left out"),
  rows: cells.optional().describe("24 when left out"),
}) satisfies z.ZodType<api.AttachQuery>;

export const attachOrder = z.strictObject({
  type: z.literal("resize"),
  cols: z.number().int().min(1).max(65_535),
  rows: z.number().int().min(1).max(65_535),
}) satisfies z.ZodType<api.AttachOrder>;
