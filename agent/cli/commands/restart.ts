import { driverNames, type RestartAnswer } from "../../api.ts";
import { type Command, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { secondsOf } from "../spans.ts";
import { type Column, formatHostTable } from "../table.ts";
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
  run: (input) => runAlone(table, input),
  across: () => table,
};

const table: TableCommand<RestartAnswer> = {
  acts: true,
  ask: ({ api, args, flags }) => {
    const request = {
      selector: args[0] ?? "",
      driver: flags.get("driver"),
      settleSeconds: secondsOf("settle", flags.get("settle")),
      dryRun: flags.has("dry-run"),
    };
    return api.post("/api/v1/restart", request, limitMs);
  },
  show: (answers, { out, table: settings }) => {
    const named = answers.filter(({ host }) => host !== undefined);
    if (named.length === 0) for (const { answer } of answers) out(describe(answer));
    else {
      for (const { host, answer } of named)
        for (const warning of answer.warnings) out(`note: ${host}: ${safe(warning)}\n`);
      const parts = named.map(({ host, answer }) => ({ host, columns, rows: [answer] }));
      out(formatHostTable(parts, settings));
    }
  },
};

function describe(answer: RestartAnswer): string {
  const line = (label: string, text: string): string => `${label.padEnd(9)}${safe(text)}\n`;
  const stopped =
    answer.old.length === 0 ? "" : line(answer.dryRun ? "stops" : "stopped", answer.old.join(", "));
  const started = answer.dryRun
    ? line("dry run", `nothing was done (driver ${answer.driver})`)
    : line("started", `${answer.new.join(", ")} in ${answer.seconds} s (driver ${answer.driver})`);
  const notes = answer.warnings.map((warning) => line("note", warning));
  return [line("plan", answer.plan), ...notes, stopped, started].join("");
}

const columns: readonly Column<RestartAnswer>[] = [
  { header: "DRIVER", cell: (answer) => answer.driver },
  { header: "STOPPED", cell: (answer) => answer.old.join(" ") || "-" },
  {
    header: "STARTED",
    cell: (answer) => (answer.dryRun ? "(dry run)" : answer.new.join(" ")),
  },
  { header: "SECONDS", align: "right", cell: (answer) => (answer.dryRun ? "-" : String(answer.seconds)) },
  { header: "PLAN", cell: (answer) => answer.plan },
];
