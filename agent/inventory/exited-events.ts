import type { ExitedEvent } from "../api.ts";
import { type Container, formatRef, type KernelUnits, startedAtMs } from "../model.ts";
import { nameOfSignal } from "../signal-names.ts";
import type { ExitRecord } from "../source/exits/exit-source.ts";
import { exitOutcome, exitReason, type Owner } from "./exit-attribution.ts";
import { toContainerName } from "./records.ts";

/**
 * Ends of processes as figures in columns; an event's object is made only for those who ask. In a storm of short-lived
 * processes thousands are added a second: as objects, to collect them as garbage would cost more than all else.
 */
export interface ExitedEvents {
  /** @param place from 0 below the capacity; what was there is overwritten */
  put(place: number, exit: ExitRecord, owner: Owner, oomKilled: boolean | null): void;
  get(place: number): Omit<ExitedEvent, "id">;
}

export function createExitedEvents(capacity: number, units: KernelUnits): ExitedEvents {
  const column = (): Float64Array => new Float64Array(capacity);
  // NaN: not known.
  const [pids, starts, parents, statuses] = [column(), column(), column(), column()];
  const [ends, lifetimes, userSeconds, systemSeconds] = [column(), column(), column(), column()];
  const oomKills = new Int8Array(capacity);
  const names: string[] = [];
  const programs: string[] = [];
  const containers: (Container | null)[] = [];
  const at = (from: Float64Array, place: number): number | null => {
    const figure = from[place] ?? Number.NaN;
    return Number.isNaN(figure) ? null : figure;
  };
  return {
    put: (place, exit, owner, oomKilled) => {
      pids[place] = exit.pid;
      starts[place] = owner.startTicks ?? Number.NaN;
      parents[place] = exit.parentPid ?? Number.NaN;
      statuses[place] = exit.status ?? Number.NaN;
      ends[place] = exit.endedAt;
      lifetimes[place] = exit.lifetimeSeconds ?? Number.NaN;
      userSeconds[place] = exit.usage?.userSeconds ?? Number.NaN;
      systemSeconds[place] = exit.usage?.systemSeconds ?? Number.NaN;
      oomKills[place] = oomKilled === null ? -1 : Number(oomKilled);
      names[place] = owner.name;
      programs[place] = owner.program;
      containers[place] = owner.container;
    },
    get: (place) => {
      const pid = pids[place] ?? 0;
      const startTicks = at(starts, place);
      const endedAt = ends[place] ?? 0;
      const status = at(statuses, place);
      const oomKilled = oomKills[place] === -1 ? null : oomKills[place] === 1;
      const { exitCode, signal } = exitOutcome(status);
      const sinceStart = startTicks === null ? null : (endedAt - startedAtMs(startTicks, units)) / 1000;
      const user = at(userSeconds, place);
      return {
        type: "exited",
        time: new Date(endedAt).toISOString(),
        container: toContainerNameOrNull(containers[place]),
        ref: startTicks === null ? null : formatRef({ pid, startTicks }),
        pid,
        name: names[place] ?? "",
        program: programs[place] ?? "",
        parentPid: at(parents, place),
        reason: exitReason(status, oomKilled),
        exitCode,
        signal: signal === null ? null : nameOfSignal(signal),
        oomKilled,
        lifetimeSeconds: round(
          at(lifetimes, place) ?? (sinceStart === null ? null : Math.max(0, sinceStart)),
        ),
        cpuSeconds:
          user === null ? null : { user: round(user) ?? 0, system: round(at(systemSeconds, place)) ?? 0 },
      };
    },
  };
}

function toContainerNameOrNull(container: Container | null | undefined) {
  return container === null || container === undefined ? null : toContainerName(container);
}

/** To a microsecond: what is beyond is noise of the division. */
function round(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1e6) / 1e6;
}
