import type { Container, ProcessTable } from "../../model.ts";
import { containerLabel } from "../../model.ts";
import { baseName, type GroupRule, type Matches, type RuleSubject } from "./rules.ts";
import type { NameFacts } from "./templates.ts";

/** Most characters of a command line that are matched. */
const longestLine = 8 * 1024;
/** Most characters of a group's name: command lines can be captured into it. */
const longestName = 512;

/** What names are made of besides the table. */
export interface NamerParts {
  /** The first that matches counts. */
  readonly rules: readonly GroupRule[];
  readonly userName: (id: number) => string | undefined;
  /** Undefined where the process is gone or the link refused. */
  readonly workingFolder: (pid: number) => string | undefined;
  /** Seconds since the epoch at boot, as the kernel tells it in /proc/stat: whole ones. */
  readonly bootSeconds: number;
  readonly ticksPerSecond: number;
}

/** Names the group of a process by the rules. */
export interface GroupNamer {
  /** Whether a name holds the container's. */
  readonly usesContainer: boolean;
  /** Undefined: no rule is about it. */
  name(table: ProcessTable, row: number, container: Container | undefined): string | undefined;
}

export function createGroupNamer(parts: NamerParts): GroupNamer {
  return {
    usesContainer: parts.rules.some(({ name }) => name.uses.has("Container")),
    name: (table, row, container) => {
      const subject = subjectOf(table, row);
      for (const rule of parts.rules) {
        const matches = rule.match(subject);
        if (matches === undefined) continue;
        return rule.name
          .render(factsOf(table, row, container, subject, matches, parts))
          .slice(0, longestName);
      }
      return undefined;
    },
  };
}

function subjectOf(table: ProcessTable, row: number): RuleSubject {
  const command = table.command[row] ?? [];
  let { length } = command;
  while (length > 1 && command[length - 1] === "") length--;
  const argv = length === command.length ? command : command.slice(0, length);
  const line = argv.join(" ");
  return {
    comm: table.name[row] ?? "",
    argv,
    line: line.length > longestLine ? line.slice(0, longestLine) : line,
  };
}

/** Each fact is made when a template asks for it: few do. */
function factsOf(
  table: ProcessTable,
  row: number,
  container: Container | undefined,
  { comm, argv }: RuleSubject,
  matches: Matches,
  parts: NamerParts,
): NameFacts {
  const pid = table.pid[row] ?? 0;
  const startedAt = (): number =>
    Math.round((parts.bootSeconds + (table.startTicks[row] ?? 0) / parts.ticksPerSecond) * 1000);
  return {
    matches,
    Comm: comm,
    get ExeFull() {
      return argv[0] ?? comm;
    },
    get ExeBase() {
      return argv[0] === undefined ? comm : baseName(argv[0]);
    },
    get Username() {
      const id = table.userId[row] ?? Number.NaN;
      return parts.userName(id) ?? (Number.isNaN(id) ? "" : String(id));
    },
    PID: String(pid),
    get StartTime() {
      return goTime(startedAt());
    },
    get "StartTime.Unix"() {
      return String(Math.floor(startedAt() / 1000));
    },
    get Cgroups() {
      return `[${cgroupPaths(table.cgroup[row] ?? "").join(" ")}]`;
    },
    get Cwd() {
      return parts.workingFolder(pid) ?? "";
    },
    get Container() {
      return container === undefined ? "" : containerLabel(container);
    },
  };
}

/** `9:name=systemd:/a:b` → `/a:b` */
function cgroupPaths(text: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => /^[^:]*:[^:]*:(.*)$/.exec(line)?.[1] ?? line);
}

/** As Go prints a time in UTC: `2026-01-01 00:00:00.25 +0000 UTC`. */
function goTime(ms: number): string {
  const [date = "", time = ""] = new Date(ms).toISOString().split("T");
  const [seconds = "", fraction = ""] = time.replace("Z", "").split(".");
  const digits = fraction.replace(/0+$/, "");
  return `${date} ${seconds}${digits === "" ? "" : `.${digits}`} +0000 UTC`;
}
