import type { AttachQuery, ExecAnswer, ExecRequest } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { type Command, type CommandInput, jsonFlag, printedJson } from "../command.ts";
import { secondsOf } from "../spans.ts";

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
    const [container = "", ...argv] = input.args;
    if (input.beforeDashes !== 1) {
      throw new AgentError(
        "bad_request",
        `the command stands behind --: pidward exec ${container} -- ${argv.join(" ")}`,
      );
    }
    return input.flags.has("tty") ? attach(container, argv, input) : runCommand(container, argv, input);
  },
};

async function runCommand(container: string, argv: readonly string[], input: CommandInput): Promise<number> {
  const { flags, stdio } = input;
  const timeoutSeconds = secondsOf("timeout", flags.get("timeout"));
  const request: ExecRequest = {
    container,
    argv,
    user: flags.get("user"),
    workdir: flags.get("workdir"),
    env: readEnv(input.repeated.get("env")),
    timeoutSeconds,
    maxOutputBytes: readBytes(flags.get("max-output")),
    ...(flags.has("interactive")
      ? { stdin: (await readInput(stdio.stdin)).toString("base64"), stdinEncoding: "base64" }
      : {}),
  };
  const limitMs = ((timeoutSeconds ?? defaultTimeoutSeconds) + 30) * 1000;
  const answer = await input.api.post<ExecAnswer>("/api/v1/exec", request, limitMs);
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
