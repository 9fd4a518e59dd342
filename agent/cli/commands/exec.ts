import type { AttachQuery, ExecAnswer, ExecRequest } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { type Command, type CommandInput, jsonFlag, printedJson, type TableCommand } from "../command.ts";
import { secondsOf } from "../spans.ts";
import { pad, safe } from "../text.ts";

/** What the agent takes with a request. */
const mostInputBytes = 8 << 20;
const defaultTimeoutSeconds = 60;
/** As timeout(1) has it. */
const timedOutCode = 124;
/** Exit code of `failed`: the engine has forgotten how the command ended. */
const unknownCode = 6;

export const exec: Command = {
  name: "exec",
  args: "CONTAINER -- ARGV…",
  least: 2,
  most: Number.POSITIVE_INFINITY,
  summary: "run a command in a container, without a shell; its exit code is this one's",
  flags: [
    {
      name: "interactive",
      short: "i",
      value: "",
      meaning: "hand on the standard input (8 MiB at most without -t)",
    },
    {
      name: "tty",
      short: "t",
      value: "",
      meaning: "give it a terminal of its own; with -i for programs like vi",
    },
    {
      name: "user",
      short: "u",
      value: "USER",
      meaning: "name, uid or uid:gid; the container's own when left out",
    },
    { name: "workdir", short: "w", value: "DIR", meaning: "the container's own when left out" },
    { name: "env", short: "e", repeatable: true, value: "NAME=VALUE", meaning: "add to its environment" },
    {
      name: "timeout",
      value: "30s",
      meaning: "end it after so long; 60s when left out, 1h at most; not with -t",
    },
    {
      name: "max-output",
      value: "BYTES",
      meaning: "end it when it writes more to one output; 1 MiB when left out, 16 MiB at most; not with -t",
    },
    jsonFlag,
  ],
  run: async (input) => {
    const [container, argv] = readCommand(input);
    return input.flags.has("tty") ? attach(container, argv, input) : runCommand(container, argv, input);
  },
  across: (flags) => {
    for (const flag of ["tty", "interactive"])
      if (flags.has(flag)) throw new AgentError("bad_request", `--${flag} is for one host, not for --hosts`);
    return several;
  },
};

/** @throws AgentError `bad_request` when the command does not stand behind `--` */
function readCommand({ args, beforeDashes }: CommandInput): readonly [string, readonly string[]] {
  const [container = "", ...argv] = args;
  if (beforeDashes !== 1)
    throw new AgentError(
      "bad_request",
      `the command stands behind --: pidward exec ${container} -- ${argv.join(" ")}`,
    );
  return [container, argv];
}

/** Each line with its host before it: no longer byte for byte, so that nothing in it is left to act on a terminal. */
const several: TableCommand<ExecAnswer> = {
  acts: true,
  ask: (input) => askToRun(...readCommand(input), undefined, input),
  show: (answers, { out, err, table }) => {
    const width = Math.max(...answers.map(({ host }) => host?.length ?? 0));
    for (const { host = "", answer } of answers) {
      const name = `${table.style("bold", pad(host, width, "right"))}  `;
      out(linesOf(answer.stdout, answer.encoding, name));
      err(linesOf(answer.stderr, answer.encoding, name));
    }
  },
  check: ({ exitCode, timedOut, truncated }) => {
    if (timedOut) throw new AgentError("failed", "it ran over its time limit (--timeout) and was ended");
    if (truncated)
      throw new AgentError("failed", "its output was over the limit (--max-output): it was ended");
    if (exitCode !== 0) throw new AgentError("failed", `exit code ${exitCode ?? "unknown"}`);
  },
};

function linesOf(text: string, encoding: ExecAnswer["encoding"], before: string): string {
  const lines = Buffer.from(text, encoding).toString("utf8").replace(/\n$/, "").split("\n");
  if (lines.length === 1 && lines[0] === "") return "";
  return lines.map((line) => `${before}${line.split("\t").map(safe).join("\t")}\n`).join("");
}

function askToRun(
  container: string,
  argv: readonly string[],
  stdin: Buffer | undefined,
  { api, flags, repeated }: CommandInput,
): Promise<ExecAnswer> {
  const timeoutSeconds = secondsOf("timeout", flags.get("timeout"));
  const request: ExecRequest = {
    container,
    argv,
    user: flags.get("user"),
    workdir: flags.get("workdir"),
    env: readEnv(repeated.get("env")),
    timeoutSeconds,
    maxOutputBytes: readBytes(flags.get("max-output")),
    ...(stdin === undefined ? {} : { stdin: stdin.toString("base64"), stdinEncoding: "base64" }),
  };
  return api.post("/api/v1/exec", request, ((timeoutSeconds ?? defaultTimeoutSeconds) + 30) * 1000);
}

async function runCommand(container: string, argv: readonly string[], input: CommandInput): Promise<number> {
  const { flags, stdio } = input;
  const stdin = flags.has("interactive") ? await readInput(stdio.stdin) : undefined;
  const answer = await askToRun(container, argv, stdin, input);
  if (!printedJson(input, answer)) {
    stdio.stdout.write(Buffer.from(answer.stdout, answer.encoding));
    stdio.stderr.write(Buffer.from(answer.stderr, answer.encoding));
  }
  if (answer.truncated) input.err("pidward: its output was over the limit (--max-output): it was ended\n");
  if (answer.timedOut) {
    input.err("pidward: it ran over its time limit (--timeout) and was ended\n");
    return timedOutCode;
  }
  if (answer.exitCode === null)
    input.err("pidward: its container has ended, and its exit code is not known\n");
  return answer.exitCode ?? unknownCode;
}

async function attach(container: string, argv: readonly string[], input: CommandInput): Promise<number> {
  for (const flag of ["json", "timeout", "max-output"]) {
    if (input.flags.has(flag)) throw new AgentError("bad_request", `--${flag} makes no sense with --tty`);
  }
  const { columns, rows } = input.stdio.stdout;
  const { TERM: term } = input.env;
  const env = input.repeated.get("env") ?? [];
  readEnv(env);
  const query: AttachQuery = {
    container,
    argv,
    user: input.flags.get("user"),
    workdir: input.flags.get("workdir"),
    env: term === undefined || env.some((one) => one.startsWith("TERM=")) ? env : [`TERM=${term}`, ...env],
    cols: columns,
    rows,
  };
  const { runTerminal } = await import("../terminal.ts");
  return runTerminal(query, input.flags.has("interactive"), input.api, input.stdio);
}

/** @throws AgentError `bad_request` that names the text */
function readEnv(given: readonly string[] | undefined): ExecRequest["env"] {
  return (
    given &&
    Object.fromEntries(
      given.map((one) => {
        const at = one.indexOf("=");
        if (at < 1) throw new AgentError("bad_request", `--env: "${one}" is not NAME=VALUE`);
        return [one.slice(0, at), one.slice(at + 1)];
      }),
    )
  );
}

function readBytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new AgentError("bad_request", `--max-output: "${text}" is no number of bytes`);
  return Number(text);
}

async function readInput(stdin: NodeJS.ReadStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostInputBytes) throw new AgentError("body_too_large", "the standard input is over 8 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
