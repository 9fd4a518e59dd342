import { type AuditRecord, type AuditTail, auditActions } from "../../api.ts";
import { type Command, type CommandInput, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { type Column, formatHostTable } from "../table.ts";
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
    if (!flags.has("follow")) return runAlone(tail, input);
    const query = queryOf(input);
    await api.stream("/api/v1/audit", { ...query, limit: query.limit ?? "10", follow: "true" }, (data) => {
      input.out(flags.has("json") ? `${data}\n` : `${line(JSON.parse(data), input)}\n`);
    });
    return 0;
  },
  across: (flags) => (flags.has("follow") ? "lines" : tail),
};

const tail: TableCommand<AuditTail> = {
  ask: (input) => input.api.get("/api/v1/audit", queryOf(input)),
  show: (answers, { out, table }) => {
    const parts = answers.map(({ host, answer }) => ({ host, columns, rows: answer.records }));
    out(parts.every(({ rows }) => rows.length === 0) ? "no records\n" : formatHostTable(parts, table));
  },
};

function queryOf({ flags }: CommandInput): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(["limit", "container", "user", "action"].map((name) => [name, flags.get(name)]));
}

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
