import { driverNames, type RestartAnswer } from "../../api.ts";
import { type Command, jsonFlag, printedJson } from "../command.ts";
import { secondsOf } from "../spans.ts";
import { safe } from "../text.ts";

/** Stopping, starting and settling of several processes, each with its own limits in the agent. */
const limitMs = 10 * 60_000;

export const restart: Command = {
  name: "restart",
  args: "SELECTOR",
  least: 1,
  most: 1,
  summary: "restart a program or process inside its container, or the container",
  flags: [
    {
      name: "driver",
      value: "NAME",
      meaning: `one of ${driverNames.join(", ")}; the first with a plan when left out`,
    },
    { name: "settle", value: "2s", meaning: "how long the new process has to live for success" },
    { name: "dry-run", value: "", meaning: "print the plan, and do nothing" },
    jsonFlag,
  ],
  run: async (input) => {
    const [selector = ""] = input.args;
    const request = {
      selector,
      driver: input.flags.get("driver"),
      settleSeconds: secondsOf("settle", input.flags.get("settle")),
      dryRun: input.flags.has("dry-run"),
    };
    const answer = await input.api.post<RestartAnswer>("/api/v1/restart", request, limitMs);
    if (printedJson(input, answer)) return 0;
    const line = (label: string, text: string): void => input.out(`${label.padEnd(9)}${safe(text)}\n`);
    line("plan", answer.plan);
    for (const warning of answer.warnings) line("note", warning);
    if (answer.old.length > 0) line(answer.dryRun ? "stops" : "stopped", answer.old.join(", "));
    if (answer.dryRun) line("dry run", `nothing was done (driver ${answer.driver})`);
    else line("started", `${answer.new.join(", ")} in ${answer.seconds} s (driver ${answer.driver})`);
    return 0;
  },
};
