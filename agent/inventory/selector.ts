import { AgentError } from "../errors.ts";
import {
  type Container,
  containerLabel,
  formatRef,
  type ProcessRef,
  parseRef,
  type Snapshot,
} from "../model.ts";

/** `4242` · `4242@183746` · `web` · `web/nginx` · `web:7` */
export type Selector =
  | { readonly kind: "pid"; readonly pid: number }
  | { readonly kind: "ref"; readonly ref: ProcessRef }
  | { readonly kind: "inside"; readonly container: string; readonly pid: number }
  | { readonly kind: "program"; readonly container: string; readonly program: string }
  | { readonly kind: "container"; readonly container: string };

/**
 * Reads a selector.
 * @throws AgentError `bad_request` that names the text and the forms there are
 */
export function parseSelector(text: string): Selector {
  if (/^[1-9]\d{0,9}$/.test(text)) return { kind: "pid", pid: Number(text) };
  const ref = parseRef(text);
  if (ref !== undefined) return { kind: "ref", ref };
  const program = /^([^/@]+)\/(.+)$/su.exec(text);
  if (program !== null) return { kind: "program", container: program[1] ?? "", program: program[2] ?? "" };
  const inside = /^([^:@]+):([1-9]\d{0,9})$/u.exec(text);
  if (inside !== null) return { kind: "inside", container: inside[1] ?? "", pid: Number(inside[2]) };
  if (/^[\w][\w.-]*$/u.test(text)) return { kind: "container", container: text };
  throw new AgentError(
    "bad_request",
    `"${text}" is no selector; the forms are 4242 (PID), 4242@183746 (ref), web (container), web/nginx (program), web:7 (PID inside)`,
  );
}

/** What a selector names in one snapshot. */
export interface Selection {
  readonly kind: "process" | "program" | "container";
  /** Index into `Snapshot.containers`; -1 for a process of the host. */
  readonly container: number;
  /** The program's name when the selector names one. */
  readonly program: string | null;
  /** Rows of the table, ascending; empty for a container that does not run. */
  readonly rows: readonly number[];
}

/**
 * Finds what a selector names.
 * @throws AgentError `not_found` (with what is there), `ambiguous` (with the candidates), `stale_ref`
 */
export function select(selector: Selector, snapshot: Snapshot): Selection {
  switch (selector.kind) {
    case "pid":
      return oneProcess(selector.pid, snapshot);
    case "ref": {
      const row = snapshot.rowByPid.get(selector.ref.pid);
      const asked = formatRef(selector.ref);
      if (row === undefined)
        throw new AgentError("stale_ref", `${asked} no longer holds: the process has ended`);
      if (snapshot.table.startTicks[row] !== selector.ref.startTicks) {
        const now = formatRef(refOf(row, snapshot));
        throw new AgentError("stale_ref", `${asked} no longer holds: the PID now belongs to ${now}`, {
          details: { candidates: [now] },
        });
      }
      return oneProcess(selector.ref.pid, snapshot);
    }
    case "inside":
      return insideProcess(selector.container, selector.pid, snapshot);
    case "program":
      return oneProgram(selector.container, selector.program, snapshot);
    case "container": {
      const container = findContainer(selector.container, snapshot);
      return { kind: "container", container, program: null, rows: rowsOfContainer(container, snapshot) };
    }
  }
}

export function refOf(row: number, snapshot: Snapshot): ProcessRef {
  return { pid: snapshot.table.pid[row] ?? 0, startTicks: snapshot.table.startTicks[row] ?? 0 };
}

export function rowsOfContainer(container: number, snapshot: Snapshot): readonly number[] {
  const rows: number[] = [];
  for (let row = 0; row < snapshot.table.length; row++) {
    if (snapshot.containerOf[row] === container) rows.push(row);
  }
  return rows;
}

function oneProcess(pid: number, snapshot: Snapshot): Selection {
  const row = snapshot.rowByPid.get(pid);
  if (row === undefined) throw new AgentError("not_found", `no process ${pid} on this host`);
  return { kind: "process", container: snapshot.containerOf[row] ?? -1, program: null, rows: [row] };
}

function insideProcess(name: string, pid: number, snapshot: Snapshot): Selection {
  const container = findContainer(name, snapshot);
  const rows = rowsOfContainer(container, snapshot).filter((row) => snapshot.table.containerPid[row] === pid);
  if (rows.length === 0) throw new AgentError("not_found", `no process with PID ${pid} inside ${name}`);
  if (rows.length > 1) {
    // PID namespaces inside the container can each have the number.
    const candidates = rows.map((row) => formatRef(refOf(row, snapshot)));
    throw new AgentError("ambiguous", `${name}:${pid} fits ${rows.length} processes`, {
      details: { candidates },
    });
  }
  return { kind: "process", container, program: null, rows };
}

function oneProgram(name: string, program: string, snapshot: Snapshot): Selection {
  const container = findContainer(name, snapshot);
  const all = rowsOfContainer(container, snapshot);
  const nameOf = (row: number): string => snapshot.programs[snapshot.programOf[row] ?? -1]?.name ?? "";
  const managed = snapshot.managed.filter((one) => one.container === container).map((one) => one.name);
  const labels = snapshot.containers[container]?.labels ?? {};
  const there = new Set([...all.map(nameOf), ...managed]);
  // A unit without a suffix is a service, as systemctl(1) has it.
  const found = [program, `${program}.service`].find(
    (one) => there.has(one) || labels[`pidward.program.${one}.start`] !== undefined,
  );
  if (found === undefined) {
    const candidates = [...there].sort().map((one) => `${name}/${one}`);
    throw new AgentError(
      "not_found",
      candidates.length === 0
        ? `${name} has no processes: it is ${snapshot.containers[container]?.state}`
        : `${name} has no program "${program}"`,
      { details: { candidates } },
    );
  }
  return { kind: "program", container, program: found, rows: all.filter((row) => nameOf(row) === found) };
}

/**
 * The index of a container by its name, else by its whole id or an id prefix that fits one alone.
 * @throws AgentError `not_found`, `ambiguous`
 */
export function findContainer(name: string, snapshot: Snapshot): number {
  const indexes = snapshot.containers.map((_, index) => index);
  const having = (test: (container: Container) => boolean): readonly number[] =>
    indexes.filter((index) => {
      const container = snapshot.containers[index];
      return container !== undefined && test(container);
    });
  const byName = having((container) => container.name === name || container.id === name);
  const found = byName.length > 0 ? byName : having((container) => container.id.startsWith(name));
  const [only] = found;
  if (only === undefined) {
    throw new AgentError("not_found", `no container "${name}"`, {
      details: { candidates: snapshot.containers.map(containerLabel).sort().slice(0, 20) },
    });
  }
  if (found.length > 1) {
    const candidates = found.flatMap((index) => snapshot.containers[index] ?? []).map(describe);
    throw new AgentError("ambiguous", `"${name}" fits ${found.length} containers`, {
      details: { candidates },
    });
  }
  return only;
}

function describe(container: Container): string {
  const short = container.id.slice(0, 12);
  return container.name === null ? short : `${short} (${container.name})`;
}
