import type { AuditRecord, AuditTail } from "../../api.ts";
import { type Command, jsonFlag, printedJson } from "../command.ts";
import { type Column, formatTable } from "../table.ts";

export const audit: Command = {
  name: "audit",
  args: "",
  least: 0,
  most: 0,
  summary: "what was done, by whom, on what",
  flags: [
    { name: "limit", value: "COUNT", meaning: "the last so many records; 100 when left out" },
    jsonFlag,
  ],
  run: async (input) => {
    const tail = await input.api.get<AuditTail>("/api/v1/audit", { limit: input.flags.get("limit") });
    if (printedJson(input, tail)) return 0;
    if (tail.records.length === 0) input.out("no records\n");
    else input.out(formatTable(columns, tail.records, input.table));
    return 0;
  },
};

const columns: readonly Column<AuditRecord>[] = [
  { header: "TIME", cell: (one) => one.time },
  { header: "PHASE", cell: (one) => one.phase },
  { header: "UID", align: "right", cell: (one) => String(one.actor?.uid ?? "-") },
  { header: "ACTION", cell: (one) => one.action },
  { header: "SELECTOR", cell: (one) => one.selector },
  { header: "HOW", cell: (one) => one.how ?? "-" },
  {
    header: "OUTCOME",
    cell: (one) => one.outcome ?? "-",
    colour: (one) => (one.outcome === null || one.outcome === "done" ? undefined : "red"),
  },
  { header: "REFS", cell: (one) => [one.refs.join(" "), one.message ?? ""].filter(Boolean).join("  ") },
];
