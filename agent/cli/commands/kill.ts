import type { SignalAnswer, SignalOutcome, SignalRequest } from "../../api.ts";
import { type Command, jsonFlag, printedJson } from "../command.ts";
import { secondsOf } from "../spans.ts";
import { safe } from "../text.ts";

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
    { name: "dry-run", value: "", meaning: "say what would be done, and do nothing" },
    jsonFlag,
  ],
  run: async (input) => {
    const [selector = ""] = input.args;
    const graceSeconds = secondsOf("grace", input.flags.get("grace"));
    const request: SignalRequest = {
      selector,
      signal: input.flags.get("signal"),
      graceSeconds,
      tree: input.flags.has("tree"),
      dryRun: input.flags.has("dry-run"),
    };
    const answer = await input.api.post<SignalAnswer>(
      "/api/v1/signal",
      request,
      ((graceSeconds ?? 0) + 30) * 1000,
    );
    if (!printedJson(input, answer))
      input.out(answer.targets.map((target) => `${describe(target, answer)}\n`).join(""));
    return 0;
  },
};

const outcomes: Readonly<Record<SignalOutcome, (signal: string) => string>> = {
  sent: (signal) => `${signal} sent`,
  exited: (signal) => `exited after ${signal}`,
  killed: (signal) => `did not exit after ${signal}: killed`,
  gone: () => "was gone already",
};

function describe(target: SignalAnswer["targets"][number], answer: SignalAnswer): string {
  const what =
    target.outcome === null ? `would get ${answer.signal}` : outcomes[target.outcome](answer.signal);
  const again = target.respawnedBy === null ? "" : `; ${target.respawnedBy} will start it again`;
  return safe(`${target.ref} ${target.name}: ${what}${again}`);
}
