import path from "node:path";
import type { InsideProcess } from "./manager.ts";

/** What supervisord was started with, as far as it tells where its configuration is. */
export interface SupervisordCommand {
  /** As `sys.argv[0]`; null where the command line is unreadable. */
  readonly program: string | null;
  /** Argument of `-c`; null without one. */
  readonly configPath: string | null;
}

/** Undefined: the process is no supervisord. That a wrapper such as tini has its name among its arguments makes it none. */
export function readSupervisordCommand(
  process: Pick<InsideProcess, "name" | "command">,
): SupervisordCommand | undefined {
  const { name, command } = process;
  if (command === null || command.length === 0)
    return name === programName ? { program: null, configPath: null } : undefined;
  const index = programIndex(command);
  if (index < 0) return undefined;
  return { program: command[index] ?? null, configPath: configArgument(command.slice(index + 1)) };
}

const programName = "supervisord";

/** `/usr/bin/supervisord …`, `python3 -u /usr/bin/supervisord …`, `python3 -m supervisor.supervisord …` */
function programIndex(command: readonly string[]): number {
  const [first = ""] = command;
  if (path.posix.basename(first) === programName) return 0;
  if (!/^(python|pypy)[\d.]*$/.test(path.posix.basename(first))) return -1;
  const index = command.findIndex((argument, at) => at > 0 && !argument.startsWith("-"));
  const script = command[index] ?? "";
  return path.posix.basename(script) === programName || script === "supervisor.supervisord" ? index : -1;
}

/** The short options of supervisord(1) that take an argument. */
const withArgument = "cudlyzejiqam";

/** As Python's getopt reads it: `-c FILE`, `-cFILE`, `-nc FILE`, `--configuration=FILE`, `--conf FILE`; the last one counts. */
function configArgument(args: readonly string[]): string | null {
  let found: string | null = null;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (argument === "--" || !argument.startsWith("-") || argument === "-") break;
    if (argument.startsWith("--")) {
      const [long = "", ...value] = argument.slice(2).split("=");
      if (!longWithArgument.some((one) => one.startsWith(long))) continue;
      const given = value.length > 0 ? value.join("=") : (args[++index] ?? null);
      if ("configuration".startsWith(long)) found = given;
      continue;
    }
    const letters = argument.slice(1);
    const at = [...letters].findIndex((letter) => withArgument.includes(letter));
    if (at < 0) continue;
    const given = at + 1 < letters.length ? letters.slice(at + 1) : (args[++index] ?? null);
    if (letters[at] === "c") found = given;
  }
  return found;
}

const longWithArgument = [
  "configuration",
  "user",
  "umask",
  "directory",
  "logfile",
  "logfile_maxbytes",
  "logfile_backups",
  "loglevel",
  "pidfile",
  "identifier",
  "childlogdir",
  "minfds",
  "minprocs",
  "profile_options",
] as const;

/**
 * Where supervisord looks for its configuration, in its order (Options.__init__ of supervisor/options.py).
 * @param cwd its working directory; what it was when it started cannot be told
 */
export function configPaths(command: SupervisordCommand, cwd: string): readonly string[] {
  if (command.configPath !== null) return [path.posix.resolve(cwd, command.configPath)];
  const above =
    command.program === null
      ? []
      : ["etc/supervisord.conf", "supervisord.conf"].map((name) =>
          path.posix.join(path.posix.dirname(path.posix.dirname(command.program ?? "")), name),
        );
  return [
    ...above,
    "supervisord.conf",
    "etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
  ].map((name) => path.posix.resolve(cwd, name));
}
