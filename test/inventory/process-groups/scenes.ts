import { createProcessGroups, type ProcessGroups } from "../../../agent/inventory/process-groups/groups.ts";
import { createGroupNamer } from "../../../agent/inventory/process-groups/namer.ts";
import { defaultRules, type GroupRule } from "../../../agent/inventory/process-groups/rules.ts";
import { createTracker, type Tracker } from "../../../agent/inventory/tracker.ts";
import type { Container, Snapshot, Usage } from "../../../agent/model.ts";
import type { NamedGroup } from "../../../agent/named-groups.ts";
import type { Scan } from "../../../agent/source/process-source.ts";
import { makeTable, type TestProcess } from "../table.ts";

const units = { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 };

/** The first scan; processes of the tests that are older started before it. */
export const firstScanTicks = 100_000;

export interface Options {
  readonly rules?: readonly GroupRule[];
  readonly children?: boolean;
  readonly recheck?: boolean;
  readonly removeEmptyGroups?: boolean;
  readonly maxGroups?: number;
  readonly containers?: () => readonly Container[];
  readonly maxPrograms?: number;
  /** How a source reads processes; by default without telling what has changed. */
  readonly read?: (processes: readonly TestProcess[]) => Scan;
}

/** Groups behind a tracker, a second from one scan to the next. */
export class GroupScene {
  readonly groups: ProcessGroups;
  private readonly tracker: Tracker;
  private readonly read: NonNullable<Options["read"]>;
  private ticks = firstScanTicks;

  constructor(options: Options = {}) {
    this.read = options.read ?? ((processes) => ({ table: makeTable(processes), problems: [] }));
    this.groups = createProcessGroups({
      namer: createGroupNamer({
        rules: options.rules ?? defaultRules(),
        userName: (id) => (id === 0 ? "root" : undefined),
        workingFolder: () => "/srv",
        bootSeconds: units.bootSeconds,
        ticksPerSecond: units.ticksPerSecond,
      }),
      units,
      bootSeconds: units.bootSeconds,
      children: options.children ?? true,
      recheck: options.recheck ?? false,
      removeEmptyGroups: options.removeEmptyGroups ?? false,
      maxGroups: options.maxGroups ?? 1000,
    });
    const containers = options.containers ?? (() => []);
    this.tracker = createTracker({
      resolve: (text) => {
        const container = containers().find(({ id }) => id === text);
        return container && { container };
      },
      knownContainers: containers,
      units,
      maxPrograms: options.maxPrograms ?? 1000,
      observer: this.groups,
    });
  }

  scan(processes: readonly TestProcess[], seconds = 1): Snapshot {
    this.ticks += seconds * 100;
    const takenAt = units.bootSeconds * 1000 + this.ticks * 10;
    return this.tracker.advance(this.read(processes), {
      takenAt,
      monotonicSeconds: this.ticks / 100,
      scanSeconds: 0,
    });
  }

  /** A start so many milliseconds before the scan that comes. */
  young(ms: number): number {
    return this.ticks + 100 - ms / 10;
  }

  ended(pid: number, startTicks: number, userSeconds: number): void {
    const usage: Usage = {
      userSeconds,
      systemSeconds: 0,
      readBytes: 0,
      writtenBytes: 0,
      voluntarySwitches: 0,
      involuntarySwitches: 0,
      minorFaults: 0,
      majorFaults: 0,
    };
    const wasSeen = true;
    this.tracker.ended(
      { pid, startTicks, container: null, program: "p", reason: "exit_0", usage, wasSeen },
      this.ticks * 10,
    );
  }

  group(name: string): NamedGroup | undefined {
    return this.groups.sums().groups.find((one) => one.name === name);
  }

  names(): readonly string[] {
    return this.groups.sums().groups.map(({ name }) => name);
  }
}
