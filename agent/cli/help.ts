import { commandRows } from "./commands.ts";

/** A setting or flag as the help shows it. */
export interface SettingHelp {
  readonly flag: string;
  readonly meaning: string;
  readonly environment?: string;
  readonly fallback?: string;
}

export function generalHelp(version: string): string {
  const rows = commandRows().map(({ usage, summary }) => {
    const [name = "", argument = ""] = usage.split(" ");
    return [argument.startsWith("[--") ? name : `${name} ${argument}`.trim(), summary] as const;
  });
  const width = Math.max(...rows.map(([usage]) => usage.length));
  const lines = rows.map(([usage, summary]) => `  ${usage.padEnd(width)}  ${summary}`);
  return [
    `pidward ${version}: every process of a host by real PID, container and program`,
    "",
    "usage: pidward COMMAND [ARGUMENTS]",
    "",
    ...lines,
    "",
    "SELECTOR: 4242 (PID), 4242@183746 (one life of a PID), web (container), web/nginx (program), web:7 (PID inside)",
    'More: "pidward COMMAND --help"',
    "",
  ].join("\n");
}

export function commandHelp(usage: string, summary: string, rows: readonly SettingHelp[]): string {
  const width = Math.max(...rows.map((row) => row.flag.length));
  const lines = rows.map((row) => {
    const facts = [row.environment, row.fallback && `default ${row.fallback}`].filter(Boolean).join(", ");
    return `  ${row.flag.padEnd(width)}  ${row.meaning}${facts === "" ? "" : ` (${facts})`}`;
  });
  return [`usage: pidward ${usage}`, "", summary, "", ...lines, ""].join("\n");
}
