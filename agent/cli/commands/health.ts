import type { Readiness } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { type Command, jsonFlag, printedJson } from "../command.ts";

export const health: Command = {
  name: "health",
  args: "",
  least: 0,
  most: 0,
  summary: "whether the agent answers and its scans go on, for health checks",
  flags: [jsonFlag],
  run: async (input) => {
    const found = await input.api.get<Readiness>("/readyz", undefined, [503]);
    if (!printedJson(input, found) && found.ready)
      input.out(`ready: the last scan ended ${Math.round(found.snapshotAgeSeconds ?? 0)} s ago\n`);
    if (!found.ready) throw new AgentError("unavailable", `the agent is not ready: ${found.reason}`);
    return 0;
  },
};
