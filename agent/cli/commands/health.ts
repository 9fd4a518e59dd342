import type { Readiness } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { type Command, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { type Column, formatHostTable } from "../table.ts";

export const health: Command = {
  name: "health",
  args: "",
  least: 0,
  most: 0,
  summary: "whether the agent answers and its scans go on, for health checks",
  flags: [jsonFlag],
  run: (input) => runAlone(table, input),
  across: () => table,
};

const table: TableCommand<Readiness> = {
  ask: ({ api }) => api.get("/readyz", undefined, [503]),
  show: (answers, { out, table: settings }) => {
    for (const { host, answer } of answers)
      if (host === undefined && answer.ready) out(`${describe(answer)}\n`);
    const named = answers.filter(({ host }) => host !== undefined);
    const parts = named.map(({ host, answer }) => ({ host, columns, rows: [answer] }));
    if (named.length > 0) out(formatHostTable(parts, settings));
  },
  check: (answer) => {
    if (!answer.ready) throw new AgentError("unavailable", `the agent is not ready: ${answer.reason}`);
  },
};

const columns: readonly Column<Readiness>[] = [
  {
    header: "HEALTH",
    cell: describe,
    colour: ({ ready }) => (ready ? undefined : "red"),
  },
];

function describe({ ready, reason, snapshotAgeSeconds }: Readiness): string {
  return ready
    ? `ready: the last scan ended ${Math.round(snapshotAgeSeconds ?? 0)} s ago`
    : `not ready: ${reason}`;
}
