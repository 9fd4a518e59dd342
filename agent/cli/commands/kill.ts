import type { SignalAnswer, SignalOutcome, SignalRequest, SignalTarget } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { type Command, type CommandInput, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { secondsOf } from "../spans.ts";
import { type Column, formatHostTable } from "../table.ts";
import { safe } from "../text.ts";

/** What a manager may take by its own settings before it says that a program is stopped. */
const stopLimitSeconds = 600;

export const kill: Command = {
  name: "kill",
  args: "SELECTOR",
  least: 1,
  most: 1,
  summary: "send a signal to a process, a program's first processes or a container's init",
  flags: [
    { name: "signal", value: "TERM", meaning: "name or number; TERM when left out" },
    { name: "grace", value: "10s", meaning: "wait so long for the end, then KILL" },
    { name: "tree", value: "", meaning: "also all below it in the same container" },
    { name: "all", value: "", meaning: "all that fit; without it several are an error that lists them" },
    {
      name: "wait",
      value: "",
      meaning: "wait until it has ended, without KILL; exit code 6 when it has not",
    },
    { name: "timeout", value: "30s", meaning: "how long --wait and --stop wait; 30s when left out" },
    {
      name: "stop",
      value: "",
      meaning:
        "have who runs it stop it, so that it stays down: its manager, its label's command, the engine",
    },
    { name: "dry-run", value: "", meaning: "say what would be done, and do nothing" },
    jsonFlag,
  ],
  run: (input) => runAlone(table, input),
  across: () => table,
};

const table: TableCommand<SignalAnswer> = {
  acts: true,
  ask: (input) => {
    const request = requestOf(input);
    return input.api.post("/api/v1/signal", request, limitMsOf(request));
  },
  show: (answers, { out, table: settings }) => {
    for (const { host, answer } of answers)
      for (const warning of answer.warnings)
        out(`note: ${host === undefined ? "" : `${host}: `}${safe(warning)}\n`);
    const parts = answers.map(({ host, answer }) => ({
      host,
      columns,
      rows: answer.targets.map((target) => ({ target, answer })),
    }));
    const line = ({ target, answer }: Row): string =>
      `${safe(`${target.ref} ${target.name}: ${describe(target, answer)}`)}\n`;
    const isAlone = parts[0]?.host === undefined;
    out(isAlone ? parts.flatMap(({ rows }) => rows.map(line)).join("") : formatHostTable(parts, settings));
  },
  check: (answer, input) => throwUndone(requestOf(input), answer),
};

interface Row {
  readonly target: SignalTarget;
  readonly answer: SignalAnswer;
}

const columns: readonly Column<Row>[] = [
  { header: "PROCESS", cell: ({ target }) => target.ref },
  { header: "NAME", cell: ({ target }) => target.name },
  { header: "OUTCOME", cell: ({ target, answer }) => describe(target, answer) },
];

function requestOf({ args, flags }: Pick<CommandInput, "args" | "flags">): SignalRequest {
  const given = (name: string): true | undefined => (flags.has(name) ? true : undefined);
  return {
    selector: args[0] ?? "",
    signal: flags.get("signal"),
    graceSeconds: secondsOf("grace", flags.get("grace")),
    tree: flags.has("tree"),
    all: given("all"),
    wait: given("wait"),
    timeoutSeconds: secondsOf("timeout", flags.get("timeout")),
    stop: given("stop"),
    dryRun: flags.has("dry-run"),
  };
}

function limitMsOf({ graceSeconds = 0, timeoutSeconds = 30, stop }: SignalRequest): number {
  return (graceSeconds + timeoutSeconds + (stop === true ? stopLimitSeconds : 0) + 30) * 1000;
}

const outcomes: Readonly<Record<SignalOutcome, (signal: string) => string>> = {
  sent: (signal) => `${signal} sent`,
  exited: (signal) => `exited after ${signal}`,
  killed: (signal) => `did not exit after ${signal}: killed`,
  gone: () => "was gone already",
  zombie: () => "is a zombie, which cannot be killed",
};

function describe(target: SignalTarget, answer: SignalAnswer): string {
  const { zombieOf, respawnedBy, respawn } = target;
  const parent =
    zombieOf === null
      ? ""
      : `; its parent ${zombieOf.ref} ${zombieOf.name} does not reap it: ${zombieOf.hint}`;
  const again =
    respawnedBy === null ? "" : `; ${respawnedBy} ${respawn === "possible" ? "may" : "will"} start it again`;
  return `${happened(target, answer)}${parent}${again}`;
}

function happened({ outcome, stoppedBy, zombieOf }: SignalTarget, { signal }: SignalAnswer): string {
  if (outcome === "zombie" || (outcome === null && zombieOf !== null)) return outcomes.zombie("");
  if (signal !== null) return outcome === null ? `would get ${signal}` : outcomes[outcome](signal);
  switch (outcome) {
    case null:
      return `would be stopped by ${stoppedBy}`;
    case "exited":
      return `stopped by ${stoppedBy}`;
    case "killed":
      return `did not end when ${stoppedBy} was asked to stop it: killed`;
    case "gone":
      return `was gone when ${stoppedBy} was asked to stop it`;
    default:
      return `${stoppedBy} was asked to stop it, and it has not ended`;
  }
}

/** @throws AgentError `failed` for what was to end and has not */
function throwUndone({ wait, stop, timeoutSeconds = 30 }: SignalRequest, { targets }: SignalAnswer): void {
  const having = (outcome: SignalOutcome): string =>
    targets
      .filter((target) => target.outcome === outcome)
      .map(({ ref, name }) => `${ref} ${name}`)
      .join(", ");
  const lasting = wait === true || stop === true ? having("sent") : "";
  if (lasting !== "")
    throw new AgentError("failed", `not ended within ${timeoutSeconds} s: ${lasting}; --grace kills`);
  const zombies = having("zombie");
  if (zombies !== "") throw new AgentError("failed", `not reaped by their parents: ${zombies}`);
}
