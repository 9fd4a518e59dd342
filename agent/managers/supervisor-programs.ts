import type { ProgramCondition } from "../model.ts";
import type { ManagedProgram } from "./manager.ts";
import { isPlainName, plainText } from "./plain-text.ts";
import type { RpcValue } from "./xml-rpc.ts";

/** States of supervisor/states.py. */
export const supervisorStates = {
  STOPPED: 0,
  STARTING: 10,
  RUNNING: 20,
  BACKOFF: 30,
  STOPPING: 40,
  EXITED: 100,
  FATAL: 200,
  UNKNOWN: 1000,
} as const;
export type SupervisorState = keyof typeof supervisorStates;

/** What getProcessInfo tells of a program. */
export interface SupervisorProgram {
  /** `web`, or `group:web` where the group has another name: what calls take. */
  readonly name: string;
  readonly state: SupervisorState;
  /** In supervisord's own PID namespace; 0 while there is none. */
  readonly pid: number;
  readonly exitStatus: number;
  /** Why it could not be started; empty without a reason. */
  readonly spawnError: string;
  readonly description: string;
}

/** Undefined when it is no list of programs. A program whose name cannot be shown is left out. */
export function toPrograms(value: RpcValue): readonly SupervisorProgram[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const programs: SupervisorProgram[] = [];
  for (const entry of value) {
    const program = toProgram(entry);
    if (program === undefined) return undefined;
    if (isPlainName(program.name)) programs.push(program);
  }
  return programs;
}

/** Undefined when it is no program's information. */
export function toProgram(value: RpcValue): SupervisorProgram | undefined {
  if (!(value instanceof Map)) return undefined;
  const name = programName(value);
  const [code, pid] = [value.get("state"), value.get("pid")];
  if (name === undefined) return undefined;
  if (typeof code !== "number" || typeof pid !== "number") return undefined;
  const exitStatus: unknown = value.get("exitstatus");
  return {
    name,
    state: stateNames.get(code) ?? "UNKNOWN",
    pid,
    exitStatus: typeof exitStatus === "number" ? exitStatus : 0,
    spawnError: textOf(value.get("spawnerr")),
    description: textOf(value.get("description")),
  };
}

/** What calls take for the program of a struct with `group` and `name` (make_namespec of supervisor/options.py). */
export function programName(value: RpcValue): string | undefined {
  const [group, name] = value instanceof Map ? [value.get("group"), value.get("name")] : [];
  if (typeof group !== "string" || typeof name !== "string") return undefined;
  return group === name ? name : `${group}:${name}`;
}

const stateNames = new Map(
  Object.entries(supervisorStates).map(([name, code]) => [code as number, name as SupervisorState]),
);

const textOf = (value: RpcValue | undefined): string =>
  typeof value === "string" ? plainText(value, 300) : "";

/** @param hostPids by the PID inside */
export function toManagedProgram(
  program: SupervisorProgram,
  hostPids: ReadonlyMap<number, number>,
): ManagedProgram {
  return {
    name: program.name,
    state: program.state,
    condition: conditionOf(program),
    pid: (program.pid > 0 ? hostPids.get(program.pid) : undefined) ?? null,
    remark: remarkOf(program),
  };
}

function conditionOf({ state, exitStatus }: SupervisorProgram): ProgramCondition {
  switch (state) {
    case "RUNNING":
      return "running";
    case "STARTING":
    case "STOPPING":
      return "changing";
    case "STOPPED":
      return "stopped";
    // An end with another status than 0 may be as expected (`exitcodes`), which supervisord does not tell here.
    case "EXITED":
      return exitStatus === 0 ? "stopped" : "failed";
    // BACKOFF: it did not stay up and is about to be tried again.
    case "BACKOFF":
    case "FATAL":
    case "UNKNOWN":
      return "failed";
  }
}

function remarkOf({ state, exitStatus, spawnError, description }: SupervisorProgram): string | null {
  if (state === "EXITED") return `exit status ${exitStatus}`;
  if (state === "STOPPED") return description === "Not started" ? description : null;
  return spawnError === "" ? null : spawnError;
}
