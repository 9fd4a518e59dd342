import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";

/** The two lines before a family's series. */
export function familyHead({ name, type, help }: Family, format: ExpositionFormat): string {
  const [shown, kind] = format === "openmetrics" ? openMetricsType(name, type) : [name, type];
  return `# HELP ${shown} ${escapeHelp(help)}\n# TYPE ${shown} ${kind}\n`;
}

/**
 * OpenMetrics names a counter's family without the suffix of its series, which must be `_total`. Names that other
 * exporters have without it stay as they are, or queries would not find them: then nothing is said of their type.
 */
function openMetricsType(name: string, type: Family["type"]): readonly [string, string] {
  if (type === "untyped") return [name, "unknown"];
  if (type !== "counter") return [name, type];
  return name.endsWith("_total") ? [name.slice(0, -"_total".length), type] : [name, "unknown"];
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
