import { type Container, containerLabel, type ProgramTotals, type Snapshot } from "../model.ts";
import {
  type ContainerSubject,
  containerFamilies,
  containerInfo,
  containerLabels,
  type Family,
  type ProcessSubject,
  processFamilies,
  processLabels,
  programFamilies,
  programLabels,
  type SubjectFamily,
  seriesDropped,
} from "./families.ts";
import { topProcesses } from "./top-processes.ts";

/** The text format 0.0.4 of Prometheus, or OpenMetrics 1.0.0 (without its final `# EOF`). */
export type ExpositionFormat = "text" | "openmetrics";

export interface ExpositionParts {
  /** Most series of pidward_*; what is beyond is left out and counted. */
  readonly maxSeries: number;
  /** Single processes: so many by CPU and so many by memory. */
  readonly topProcesses: number;
}

/** Renders snapshots. Label texts are kept from one rendering to the next, since they make most of the work. */
export interface Exposition {
  render(snapshot: Snapshot, format: ExpositionFormat): string;
}

export function createExposition(parts: ExpositionParts): Exposition {
  const programTexts = createLabelTexts(programLabels);
  const containerTexts = createLabelTexts(containerLabels);
  return {
    render: (snapshot, format) => {
      const names = distinctLabels(snapshot.containers);
      const nameOf = (container: number): string => names[container] ?? "";
      const writer = createWriter(format, parts.maxSeries);
      writer.family(containerInfo);
      snapshot.containers.forEach((container, index) => {
        const { labels } = containerInfo;
        const values = [nameOf(index), container.id, container.image ?? "", container.runtime ?? ""];
        writer.series(containerInfo, labelText(labels, values), 1);
      });
      const zombies = countZombies(snapshot);
      const containers = snapshot.containers.map((container, index) => ({
        subject: { state: container.state, zombies: zombies[index] ?? 0 } satisfies ContainerSubject,
        text: containerTexts([nameOf(index)]),
      }));
      for (const family of containerFamilies) writer.subjects(family, containers);
      const programs = snapshot.programs.map((program) => ({
        subject: program satisfies ProgramTotals,
        text: programTexts([nameOf(program.container), program.name]),
      }));
      for (const family of programFamilies) writer.subjects(family, programs);
      const processes = topProcesses(snapshot, parts.topProcesses).map(({ row, program }) => ({
        subject: processSubject(row, snapshot),
        text: labelText(processLabels, [
          String(snapshot.table.pid[row]),
          nameOf(program?.container ?? -1),
          program?.name ?? "",
          snapshot.table.name[row] ?? "",
        ]),
      }));
      if (parts.topProcesses > 0) for (const family of processFamilies) writer.subjects(family, processes);
      return writer.end();
    },
  };
}

function createWriter(format: ExpositionFormat, maxSeries: number) {
  const lines: string[] = [];
  let written = 0;
  let dropped = 0;
  const family = ({ name, type, help }: Family): void => {
    // OpenMetrics names a counter's family without the suffix of its series.
    const shown = format === "openmetrics" && type === "counter" ? name.replace(/_total$/, "") : name;
    lines.push(`# HELP ${shown} ${escapeHelp(help)}\n# TYPE ${shown} ${type}\n`);
  };
  const series = ({ name }: Family, labels: string, value: number): void => {
    // One is kept for the count of those dropped.
    if (written >= maxSeries - 1) {
      dropped++;
      return;
    }
    written++;
    lines.push(
      labels === "" ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`,
    );
  };
  return {
    family,
    series,
    subjects: <S>(
      described: SubjectFamily<S>,
      subjects: readonly { readonly subject: S; readonly text: string }[],
    ): void => {
      family(described);
      const readings = described.readings.map(({ values, read }) => ({
        own: labelText(described.labels, values),
        read,
      }));
      for (const { subject, text } of subjects) {
        for (const { own, read } of readings) {
          const value = read(subject);
          if (Number.isNaN(value)) continue;
          series(described, own === "" ? text : `${text},${own}`, value);
        }
      }
    },
    end: (): string => {
      family(seriesDropped);
      lines.push(`${seriesDropped.name} ${dropped}\n`);
      return lines.join("");
    },
  };
}

/** The label text of a subject, kept while the subject is asked for: those not asked for in a while are dropped. */
function createLabelTexts(labels: readonly string[]): (values: readonly string[]) => string {
  let recent = new Map<string, string>();
  let older = new Map<string, string>();
  return (values) => {
    const key = values.join("\0");
    const known = recent.get(key) ?? older.get(key) ?? labelText(labels, values);
    recent.set(key, known);
    if (recent.size > 20_000) {
      older = recent;
      recent = new Map();
    }
    return known;
  };
}

function labelText(labels: readonly string[], values: readonly string[]): string {
  return labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? "")}"`).join(",");
}

/** Values come from containers: any character is possible, and half a surrogate pair is no UTF-8. */
function escapeLabel(value: string): string {
  const clean = value.isWellFormed() ? value : value.toWellFormed();
  return /["\\\n]/.test(clean)
    ? clean.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : clean;
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** The label of each container. Two of one name, as different runtimes can have, are told apart by the short id. */
export function distinctLabels(containers: readonly Container[]): readonly string[] {
  const times = new Map<string, number>();
  for (const container of containers) {
    const label = containerLabel(container);
    times.set(label, (times.get(label) ?? 0) + 1);
  }
  const given = new Set<string>();
  return containers.map((container) => {
    const label = containerLabel(container);
    const short = (times.get(label) ?? 0) > 1 ? `${label}-${container.id.slice(0, 12)}` : label;
    const distinct = given.has(short) ? `${label}-${container.id}` : short;
    given.add(distinct);
    return distinct;
  });
}

function countZombies({ table, containerOf, containers }: Snapshot): readonly number[] {
  const counts = containers.map(() => 0);
  for (let row = 0; row < table.length; row++) {
    const container = containerOf[row] ?? -1;
    if (container !== -1 && table.state[row] === "Z".charCodeAt(0))
      counts[container] = (counts[container] ?? 0) + 1;
  }
  return counts;
}

function processSubject(row: number, { table }: Snapshot): ProcessSubject {
  return {
    userSeconds: table.userSeconds[row] ?? Number.NaN,
    systemSeconds: table.systemSeconds[row] ?? Number.NaN,
    residentBytes: table.residentBytes[row] ?? Number.NaN,
    openFiles: table.openFiles[row] ?? Number.NaN,
    threads: table.threads[row] ?? Number.NaN,
  };
}
