import path from "node:path";

/** Names (comm) under which process managers and their helpers run. */
const names: ReadonlySet<string> = new Set([
  "supervisord",
  "s6-svscan",
  "s6-supervise",
  "runsvdir",
  "runsv",
  "systemd",
]);

/**
 * Whether a process looks like a manager, or a helper of one; its finder looks closer. Cheap, for every process of a
 * scan. supervisord is called python3 where the image starts it by its interpreter.
 */
export function isManagerSign(name: string, command: readonly string[] | null): boolean {
  if (names.has(name)) return true;
  if (!name.startsWith("python") || command === null) return false;
  return command.slice(1, 4).some((argument) => path.posix.basename(argument) === "supervisord");
}
