import { isAbove } from "../ancestors.ts";
import { type Container, containerLabel, type Snapshot, type TargetProcess } from "../model.ts";

const containerProtect = "pidward.protect";
const programBefore = "pidward.program.";
const programAfter = ".protect";

/** Labels come with images and can be long: an answer quotes so much of one. */
const longestQuoted = 120;

/** Why a label forbids acting on anything in the container, running commands included; undefined: none does. */
export function containerProtection(container: Container): string | undefined {
  return isOn(container.labels[containerProtect])
    ? `container ${containerLabel(container)} is protected by its label ${containerProtect}`
    : undefined;
}

/**
 * Why a label forbids acting on the process: one of a container around it; one of its program; one of a program that
 * would end with it, because it is the container's init or because processes of that program are below it.
 * @param around the containers that the process is in, those that a runtime knows
 */
export function processProtection(
  target: TargetProcess,
  around: readonly Container[],
  snapshot: Snapshot,
): string | undefined {
  for (const container of around) {
    const reason = containerProtection(container);
    if (reason !== undefined) return reason;
  }
  const { container } = target;
  if (container === null) return undefined;
  const programs = protectedPrograms(container);
  if (programs.size === 0) return undefined;
  if (programs.has(target.program)) return describe(target.program, container, "it is of");
  if (target.init) {
    const [first = ""] = programs;
    return describe(first, container, "it is the container's init, and would take down");
  }
  const below = programBelow(target, programs, snapshot);
  return below === undefined ? undefined : describe(below, container, "below it are processes of");
}

/** A label of another value, `false` among them, protects nothing. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && /^\s*(?:true|1|yes)\s*$/i.test(value);
}

function protectedPrograms(container: Container): ReadonlySet<string> {
  const names = Object.entries(container.labels).flatMap(([label, value]) =>
    label.startsWith(programBefore) && label.endsWith(programAfter) && isOn(value)
      ? [label.slice(programBefore.length, -programAfter.length)]
      : [],
  );
  return new Set(names.filter((name) => name !== ""));
}

function describe(program: string, container: Container, why: string): string {
  const quote = (text: string): string => JSON.stringify(text.slice(0, longestQuoted));
  const label = `${programBefore}${program}${programAfter}`;
  return `${why} program ${quote(program)}, which is protected by the label ${quote(label)} of container ${containerLabel(container)}`;
}

/** The first protected program that has a process below the target in the same container. */
function programBelow(
  target: TargetProcess,
  programs: ReadonlySet<string>,
  snapshot: Snapshot,
): string | undefined {
  const { table, rowByPid, containerOf, programOf, programs: totals } = snapshot;
  const container = containerOf[rowByPid.get(target.ref.pid) ?? -1];
  for (let row = 0; row < table.length; row++) {
    if (containerOf[row] !== container) continue;
    const name = totals[programOf[row] ?? -1]?.name ?? "";
    if (programs.has(name) && isAbove(target.ref.pid, table.pid[row] ?? 0, snapshot)) return name;
  }
  return undefined;
}
