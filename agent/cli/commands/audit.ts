import { type AuditRecord, type AuditTail, auditActions } from "../../api.ts";
import { type Command, type CommandInput, jsonFlag, printedJson } from "../command.ts";
import { type Column, formatTable } from "../table.ts";
import { pad, safe } from "../text.ts";

export const audit: Command = {
  name: "audit",
  args: "",
  least: 0,
  most: 0,
  summary: "what was done, by whom, on what",
  flags: [
    {
      name: "limit",
      value: "COUNT",
      meaning: "the last so many records; 100 when left out, with --follow 10",
    },
    { name: "container", value: "NAME", meaning: "only of this container (name or id prefix)" },
    { name: "user", value: "USER", meaning: "only by this user (name or id)" },
    { name: "action", value: "ACTION", meaning: `only ${auditActions.join(", ")}` },
    { name: "follow", value: "", meaning: "go on with those to come; with --json one record a line" },
    jsonFlag,
  ],
  run: async (input) => {
    const { flags, api } = input;
    const query = Object.fromEntries(
      ["limit", "container", "user", "action"].map((name) => [name, flags.get(name)]),
    );
    if (flags.has("follow")) {
      await api.stream("/api/v1/audit", { ...query, limit: query.limit ?? "10", follow: "true" }, (data) => {
        input.out(flags.has("json") ? `${data}\n` : `${line(JSON.parse(data), input)}\n`);
      });
      return 0;
    }
    const tail = await api.get<AuditTail>("/api/v1/audit", query);
    if (printedJson(input, tail)) return 0;
    if (tail.records.length === 0) input.out("no records\n");
    else input.out(formatTable(columns, tail.records, input.table));
    return 0;
  },
};

/** Widths are those of a stream's lines, where no table can be measured. */
const columns: readonly (Column<AuditRecord> & { readonly usual?: number })[] = [
  { header: "TIME", cell: (one) => one.time },
  { header: "PHASE", usual: 10, cell: (one) => one.phase },
  { header: "USER", usual: 8, cell: (one) => one.actor?.user ?? String(one.actor?.uid ?? "-") },
  { header: "ACTION", usual: 7, cell: (one) => one.action },
  { header: "SELECTOR", usual: 20, cell: (one) => one.selector },
  { header: "HOW", usual: 9, cell: (one) => one.how ?? "-" },
  {
    header: "OUTCOME",
    usual: 8,
    cell: (one) => one.outcome ?? "-",
    colour: (one) => (one.outcome === null || one.outcome === "done" ? undefined : "red"),
  },
  { header: "EXIT", usual: 4, cell: (one) => String(one.exitCode ?? "-") },
  {
    header: "WHAT",
    cell: (one) =>
      [one.refs.join(" "), one.argv?.join(" ") ?? "", one.message ?? ""].filter(Boolean).join("  "),
  },
];

function line(record: AuditRecord, { table: { style } }: CommandInput): string {
  return columns
    .map(({ cell, usual = 0, colour }) => {
      const text = pad(safe(cell(record)), usual, "right");
      const painted = colour?.(record);
      return painted === undefined ? text : style(painted, text);
    })
    .join("  ")
    .trimEnd();
}
