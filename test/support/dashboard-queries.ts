import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";

const root = path.join(__dirname, "../..");

/** A query, and where it stands. */
export interface NamedQuery {
  readonly from: string;
  readonly expr: string;
}

interface Model {
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
  }[];
}

/** The queries of one of deploy/grafana/dashboards, variables put in. */
export function queriesOf(dashboard: string): readonly NamedQuery[] {
  const { panels, annotations } = modelOf(dashboard);
  return [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ from: `${title} (${refId})`, expr: substitute(expr) })),
    ),
    ...annotations.list.map(({ name, expr }) => ({ from: `annotation ${name}`, expr: substitute(expr) })),
  ];
}

/** What its variables ask: the values of a label among the series of a selector. */
export function variablesOf(
  dashboard: string,
): readonly { readonly label: string; readonly selector: string }[] {
  return modelOf(dashboard).templating.list.flatMap(({ query }) => {
    const text = (query as { readonly query?: string }).query ?? "";
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(substitute(text)) ?? [];
    return selector === undefined || label === undefined ? [] : [{ selector, label }];
  });
}

function modelOf(dashboard: string): Model {
  return JSON.parse(readFileSync(path.join(root, "deploy/grafana/dashboards", dashboard), "utf8"));
}

/** What dashboards made for other exporters ask. */
export function foreignQueries(): readonly NamedQuery[] {
  const file = path.join(root, "test/fixtures/dashboard-queries.json");
  const lists: Readonly<Record<string, readonly string[]>> = JSON.parse(readFileSync(file, "utf8"));
  return Object.entries(lists).flatMap(([from, list]) =>
    list.map((expr) => ({ from, expr: substitute(expr) })),
  );
}

/** A rule of deploy/prometheus. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
}

export function alertRules(): readonly AlertRule[] {
  const text = readFileSync(path.join(root, "deploy/prometheus/alerts.yaml"), "utf8");
  return (parse(text) as RuleFile).groups.flatMap(({ rules }) => rules);
}

/** Short steps, rates over some scrapes, and everything that can be chosen. */
function substitute(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "20s")
    .replaceAll("$__interval", "5s")
    .replaceAll("$__range", "1m")
    .replaceAll(/\[\$\w+\]/g, "[20s]")
    .replaceAll(/\$\w+/g, ".*");
}

/** Comparisons say 0 or 1 instead of leaving out what does not fulfil them. */
export function withoutThresholds(expr: string): string {
  return expr.replaceAll(/ (>|<|==) (?!bool)/g, " $1 bool ");
}

const words = new Set([
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "and",
  "or",
  "unless",
  "bool",
  "offset",
]);

/** The names of metrics in an expression. */
export function metricNames(expr: string): readonly string[] {
  const bare = expr
    .replaceAll(/\{__name__=~"([^"]*)"\}/g, (_, names: string) => names.replaceAll("|", " "))
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, " ")
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, " ")
    .replaceAll(/\boffset +\w+/g, " ");
  const found = [...bare.matchAll(/(?<![\w:.])[a-zA-Z_:][\w:]*(?! *\(|[\w:])/g)].map(([name]) => name);
  return [...new Set(found)].filter((name) => !words.has(name));
}
