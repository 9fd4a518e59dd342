import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { commandRows } from "../agent/cli/commands.ts";
import { settingRows } from "../agent/config.ts";
import { errorCatalogue } from "../agent/errors.ts";
import { features } from "../agent/inventory/features.ts";
import {
  containerFamilies,
  containerInfo,
  containerLabels,
  type Family,
  managedProgramState,
  processFamilies,
  processLabels,
  programFamilies,
  programLabels,
  programsFolded,
  seriesDropped,
} from "../agent/metrics/families.ts";
import { ownFamilies } from "../agent/metrics/own-metrics.ts";
import { alertRules } from "./support/dashboard-queries.ts";
import { differences } from "./support/process-exporter-differences.ts";

const file = path.join(__dirname, "../README.md");

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

const code = (text: string): string => (text === "" ? "" : `\`${text}\``);

function settingsTable(): string {
  const rows = settingRows({ env: {}, uid: 0, home: "/root", hostRoot: "/" });
  return table(
    ["flag", "environment", "default", "meaning"],
    rows.map((row) => [code(row.flag), code(row.environment), code(row.fallback), row.meaning]),
  );
}

function commandsTable(): string {
  return table(
    ["command", "what"],
    commandRows().map((row) => [code(`pidward ${row.usage}`), row.summary]),
  );
}

function errorsTable(): string {
  const rows = Object.entries(errorCatalogue).map(([name, { status, exitCode, meaning }]) => [
    code(name),
    String(exitCode),
    String(status),
    meaning,
  ]);
  return table(["code", "exit code", "HTTP status", "meaning"], rows);
}

function metricsTable(): string {
  const families: readonly (readonly [Family, readonly string[]])[] = [
    ...programFamilies.map((family) => [family, programLabels] as const),
    [containerInfo, []],
    ...containerFamilies.map((family) => [family, containerLabels] as const),
    ...processFamilies.map((family) => [family, processLabels] as const),
    [managedProgramState, []],
    [programsFolded, []],
    [seriesDropped, []],
    ...Object.values(ownFamilies).map((family) => [family, []] as const),
  ];
  const rows = families.map(([family, subject]) => [
    code(family.name),
    family.type,
    [...subject, ...family.labels].map(code).join(" "),
    family.help,
  ]);
  return table(["metric", "type", "labels", "meaning"], rows);
}

function featuresTable(): string {
  return table(
    ["feature", "gives", "capabilities", "besides"],
    features.map(({ name, gives, capabilities, besides }) => [
      code(name),
      gives,
      capabilities.map(code).join(" "),
      besides,
    ]),
  );
}

/** What a template puts in stands in italics: the name of the label, or `n`. */
function alertsTable(): string {
  const words = (summary: string): string =>
    summary.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, "*$1*").replaceAll(/\{\{ \$value [^}]*\}\}/g, "*n*");
  return table(
    ["alert", "severity", "after", "says"],
    alertRules().map(({ alert, labels, annotations, ...rule }) => [
      code(alert),
      labels.severity,
      rule.for ?? "at once",
      words(annotations.summary),
    ]),
  );
}

/** Compares what stands between two marks of the README; UPDATE_README=1 writes it anew. */
function expectBetween(name: string, wanted: string): void {
  const text = readFileSync(file, "utf8");
  const [open, close] = [`<!-- table:${name} -->\n`, `\n<!-- /table:${name} -->`];
  const from = text.indexOf(open) + open.length;
  const end = text.indexOf(close);
  if (process.env.UPDATE_README === "1") writeFileSync(file, text.slice(0, from) + wanted + text.slice(end));
  else expect(text.slice(from, end)).toBe(wanted);
}

function differencesList(): string {
  return differences.map(({ what, reason }) => `- ${what}: ${reason};`).join("\n");
}

test("the README's settings are those of the code", () => expectBetween("settings", settingsTable()));
test("the README's commands are those of the code", () => expectBetween("commands", commandsTable()));
test("the README's error codes are those of the code", () => expectBetween("errors", errorsTable()));
test("the README's metrics are those of the code", () => expectBetween("metrics", metricsTable()));
test("the README's features are those of the code", () => expectBetween("features", featuresTable()));
test("the README's alerts are those of deploy/prometheus", () => expectBetween("alerts", alertsTable()));
test("the README's differences from process-exporter are those that the tests know of", () =>
  expectBetween("differences", differencesList()));
