// Id=worker.service
// ActiveState=active
// SubState=running
// MainPID=42
// (an empty line between units)
import type { ProgramCondition } from "../model.ts";
import type { ManagedProgram } from "./manager.ts";
import { plainText } from "./plain-text.ts";

/** What systemctl(1) show is asked for (org.freedesktop.systemd1(5)). */
export const shownProperties = [
  "Id",
  "LoadState",
  "ActiveState",
  "SubState",
  "MainPID",
  "Result",
  "ExecMainStatus",
  "UnitFileState",
] as const;

export interface Unit {
  readonly id: string;
  /** `loaded`, `not-found`, `masked` */
  readonly loadState: string;
  /** `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating` */
  readonly activeState: string;
  /** `running`, `exited`, `auto-restart`, … */
  readonly subState: string;
  /** In the container; 0 without one. */
  readonly mainPid: number;
  /** `success`, `exit-code`, `signal`, `timeout`, … */
  readonly result: string;
  readonly exitStatus: string;
  /** `enabled`, `disabled`, `static`, … */
  readonly fileState: string;
}

const mostUnits = 2_000;

/** The name of a service as systemd.unit(5) allows it, fit to be an argument of systemctl. */
export function isUnitName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.service$/.test(name);
}

/** Answers of `systemctl show`; units whose names are no service's are left out. */
export function parseUnits(text: string): readonly Unit[] {
  return text
    .split("\n\n", mostUnits)
    .map((block) => {
      const properties = new Map(block.split("\n").map((line) => splitAtEquals(line)));
      const get = (name: (typeof shownProperties)[number]): string =>
        plainText(properties.get(name) ?? "", 300);
      return {
        id: get("Id"),
        loadState: get("LoadState"),
        activeState: get("ActiveState"),
        subState: get("SubState"),
        mainPid: Number(get("MainPID")) || 0,
        result: get("Result"),
        exitStatus: get("ExecMainStatus"),
        fileState: get("UnitFileState"),
      };
    })
    .filter(({ id }) => isUnitName(id));
}

function splitAtEquals(line: string): readonly [string, string] {
  const end = line.indexOf("=");
  return [line.slice(0, Math.max(end, 0)), line.slice(end + 1)];
}

/** @param hostPids by the PID inside */
export function toManagedProgram(unit: Unit, hostPids: ReadonlyMap<number, number>): ManagedProgram {
  return {
    name: unit.id,
    state: `${unit.activeState} (${unit.subState})`,
    condition: conditionOf(unit),
    pid: hostPids.get(unit.mainPid) ?? null,
    remark:
      unit.result === "success" || unit.result === ""
        ? null
        : `${unit.result}, exit status ${unit.exitStatus}`,
  };
}

function conditionOf({ activeState, subState }: Unit): ProgramCondition {
  switch (activeState) {
    case "active":
      return "running";
    case "inactive":
      return "stopped";
    case "activating":
    case "deactivating":
    case "reloading":
      return subState.startsWith("auto-restart") ? "failed" : "changing";
    default:
      return "failed";
  }
}
