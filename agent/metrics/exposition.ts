import type { Container, ProgramTotals, Snapshot } from "../model.ts";
import { createContainerNames } from "./container-names.ts";
import {
  type ContainerSubject,
  containerFamilies,
  containerInfo,
  containerLabels,
  type Family,
  managedProgramState,
  type ProcessSubject,
  processFamilies,
  processLabels,
  programFamilies,
  programLabels,
  programsFolded,
  seriesDropped,
  seriesPerSubject,
} from "./families.ts";
import { familyHead } from "./family-head.ts";
import { createLabelTexts, labelText } from "./label-text.ts";
import { createPiece, createPieceMemo, type Piece, type PieceMemo } from "./pieces.ts";
import { createProgramFold } from "./program-fold.ts";
import { createSeriesBlocks, type SeriesBlocks } from "./series-blocks.ts";
import { type Folded, otherLabel } from "./smallest-fold.ts";
import { createSubjectComparison, type Labelled, type SubjectChanges } from "./subject-changes.ts";
import { topProcesses } from "./top-processes.ts";

/** The text format 0.0.4 of Prometheus, or OpenMetrics 1.0.0 (without its final `# EOF`). */
export type ExpositionFormat = "text" | "openmetrics";

export interface ExpositionParts {
  /** Single processes: so many by CPU and so many by memory. */
  readonly topProcesses: number;
}

/** Renders snapshots. What is the same in the next rendering is the same piece: little of a host changes in a second. */
export interface Exposition {
  /**
   * @param maxSeries programs are folded to fit; what of the rest is still beyond is left out and counted
   */
  render(snapshot: Snapshot, format: ExpositionFormat, maxSeries: number): readonly Piece[];
}

export function createExposition(parts: ExpositionParts): Exposition {
  const labelPrograms = createProgramLabels();
  const labelContainers = createContainerLabels();
  const compare = {
    infos: createSubjectComparison<undefined>(),
    containers: createSubjectComparison<ContainerSubject>(),
    programs: createSubjectComparison<ProgramTotals>(),
    processes: createSubjectComparison<ProcessSubject>(),
    managed: createSubjectComparison<undefined>(),
  };
  const info = createSeriesBlocks(containerInfo);
  const ofContainers = containerFamilies.map((family) => ({ family, blocks: createSeriesBlocks(family) }));
  const managedTexts = createLabelTexts(managedProgramState.labels, [[]]);
  const managed = createSeriesBlocks(managedProgramState);
  const ofPrograms = programFamilies.map((family) => ({ family, blocks: createSeriesBlocks(family) }));
  const ofProcesses = processFamilies.map((family) => ({ family, blocks: createSeriesBlocks(family) }));
  const nameContainers = createContainerNames();
  const memo = createPieceMemo();
  const heads = { text: createHeads("text"), openmetrics: createHeads("openmetrics") };
  const fold = createProgramFold();
  let last:
    | { readonly snapshot: Snapshot; readonly maxSeries: number; readonly folded: Folded<ProgramTotals> }
    | undefined;
  /** Once for a snapshot: counters go on from one to the next. */
  const foldOnce = (snapshot: Snapshot, maxSeries: number): Folded<ProgramTotals> => {
    if (last?.snapshot !== snapshot || last.maxSeries !== maxSeries) {
      const rest = maxSeries - seriesBeside(snapshot, parts.topProcesses, maxSeries);
      const most = Math.max(1, Math.floor(rest / seriesPerSubject(programFamilies)));
      last = { snapshot, maxSeries, folded: fold(snapshot, most) };
    }
    return last.folded;
  };
  return {
    render: (snapshot, format, maxSeries) => {
      const { kept, other, folded } = foldOnce(snapshot, maxSeries);
      const names = nameContainers(snapshot.containers, other !== undefined);
      const nameOf = (container: number): string => names[container] ?? "";
      const writer = createWriter(format, maxSeries, folded.length, { memo, headOf: heads[format] });
      const containers = labelContainers(snapshot.containers, names, countZombies(snapshot));
      writer.family(containerInfo, info, compare.infos(containers.map((one) => one.info)));
      const ofEach = compare.containers(containers);
      for (const { family, blocks } of ofContainers) writer.family(family, blocks, ofEach);
      const programs = compare.programs(
        labelPrograms(other === undefined ? kept : [...kept, other], (program) =>
          program === other ? otherLabel : nameOf(program.container),
        ),
      );
      for (const { family, blocks } of ofPrograms) writer.family(family, blocks, programs);
      if (parts.topProcesses > 0) {
        const top = topProcesses(snapshot, parts.topProcesses);
        const processes = compare.processes(top.map((one) => labelProcess(one, snapshot, nameOf)));
        for (const { family, blocks } of ofProcesses) writer.family(family, blocks, processes);
      }
      writer.family(
        managedProgramState,
        managed,
        compare.managed(managedSubjects(snapshot, nameOf, managedTexts)),
      );
      return writer.end();
    },
  };
}

/** A program whose figures are the same is the same object in the next snapshot, and mostly in the same place. */
function createProgramLabels(): (
  programs: readonly ProgramTotals[],
  containerOf: (program: ProgramTotals) => string,
) => readonly LabelledProgram[] {
  let last: readonly LabelledProgram[] = [];
  return (programs, containerOf) => {
    last = programs.map((program, index) => {
      const container = containerOf(program);
      const before = last[index];
      if (before?.container !== container || before.subject.name !== program.name)
        return { subject: program, container, text: labelText(programLabels, [container, program.name]) };
      return before.subject === program ? before : { subject: program, container, text: before.text };
    });
    return last;
  };
}

interface LabelledProgram extends Labelled<ProgramTotals> {
  readonly container: string;
}

/** A container of which the engine tells nothing new is the same object in the next snapshot. */
function createContainerLabels(): (
  containers: readonly Container[],
  names: readonly string[],
  zombies: readonly number[],
) => readonly LabelledContainer[] {
  let last: readonly LabelledContainer[] = [];
  return (containers, names, zombies) => {
    last = containers.map((container, index) => {
      const [name, count] = [names[index] ?? "", zombies[index] ?? 0];
      const before = last[index];
      if (before?.container === container && before.name === name && before.subject.zombies === count)
        return before;
      const { id, image, runtime } = container;
      const info = labelText(containerInfo.labels, [name, id, image ?? "", runtime ?? ""]);
      return {
        subject: containerSubject(container, count),
        text: labelText(containerLabels, [name]),
        container,
        name,
        info: { subject: undefined, text: info },
      };
    });
    return last;
  };
}

interface LabelledContainer extends Labelled<ContainerSubject> {
  readonly container: Container;
  readonly name: string;
  readonly info: Labelled<undefined>;
}

/**
 * Series that are there besides those of programs, at most. What managers tell comes from containers, which could make
 * up any number: it comes last, and for more than a tenth no program has to make room.
 */
function seriesBeside({ containers, managed }: Snapshot, topProcesses: number, maxSeries: number): number {
  const ofContainers =
    containers.length * (seriesPerSubject(containerFamilies) + containerInfo.readings.length);
  const ofProcesses = 2 * topProcesses * seriesPerSubject(processFamilies);
  return ofContainers + ofProcesses + Math.min(managed.length, Math.floor(maxSeries / 10)) + 2;
}

/** What stands before the series of a family: the same piece each time. */
function createHeads(format: ExpositionFormat): (family: Family) => Piece {
  const known = new Map<Family, Piece>();
  return (family) => {
    const head = known.get(family) ?? createPiece(familyHead(family, format));
    known.set(family, head);
    return head;
  };
}

/** Puts families one behind the other, within the bound on series. */
function createWriter(
  format: ExpositionFormat,
  maxSeries: number,
  folded: number,
  { memo, headOf }: { readonly memo: PieceMemo; readonly headOf: (family: Family) => Piece },
): {
  family<S>(family: Family, blocks: SeriesBlocks<S>, changes: SubjectChanges<S>): void;
  end(): readonly Piece[];
} {
  const pieces: Piece[] = [];
  // Two are kept for the counts of those folded and dropped.
  let left = maxSeries - 2;
  let dropped = 0;
  return {
    family: (family, blocks, changes) => {
      pieces.push(headOf(family));
      const rendered = blocks.render(changes, left);
      pieces.push(...rendered.pieces);
      left -= rendered.written;
      dropped += rendered.dropped;
    },
    end: () => {
      for (const [family, count] of [
        [programsFolded, folded],
        [seriesDropped, dropped],
      ] as const) {
        pieces.push(
          memo(`${format} ${family.name}`, `${familyHead(family, format)}${family.name} ${count}\n`),
        );
      }
      return pieces;
    },
  };
}

function containerSubject(container: Container, zombies: number): ContainerSubject {
  const { state, restartCount, exitCode, oomKilled, known } = container;
  return {
    state,
    zombies,
    restarts: restartCount ?? Number.NaN,
    exitCode: exitCode ?? Number.NaN,
    oomKilled: known ? Number(oomKilled) : Number.NaN,
  };
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

/** Two managers of a kind in one container can have programs of one name: each series stands once. */
function managedSubjects(
  { managed }: Snapshot,
  nameOf: (container: number) => string,
  textsOf: ReturnType<typeof createLabelTexts>,
): readonly Labelled<undefined>[] {
  const texts = managed.flatMap(({ container, manager, name, state, condition }) =>
    textsOf([nameOf(container), manager, name, state, condition], managed.length),
  );
  return [...new Set(texts)].map((text) => ({ subject: undefined, text }));
}

function labelProcess(
  { row, program }: ReturnType<typeof topProcesses>[number],
  snapshot: Snapshot,
  nameOf: (container: number) => string,
): Labelled<ProcessSubject> {
  const { pid, name } = snapshot.table;
  const values = [String(pid[row]), nameOf(program?.container ?? -1), program?.name ?? "", name[row] ?? ""];
  return { subject: processSubject(row, snapshot), text: labelText(processLabels, values) };
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
