import type { Command } from "./command.ts";
import { audit } from "./commands/audit.ts";
import { containers } from "./commands/containers.ts";
import { doctor } from "./commands/doctor.ts";
import { events } from "./commands/events.ts";
import { exec } from "./commands/exec.ts";
import { health } from "./commands/health.ts";
import { kill } from "./commands/kill.ts";
import { ps } from "./commands/ps.ts";
import { restart } from "./commands/restart.ts";
import { status } from "./commands/status.ts";

/** The commands besides `agent` and `help`, in the order of the help and of the README's table. */
export const commands: readonly Command[] = [
  ps,
  containers,
  status,
  kill,
  restart,
  exec,
  events,
  audit,
  doctor,
  health,
];

/** A row of the table of commands, as the help and the README print it. */
export interface CommandRow {
  readonly usage: string;
  readonly summary: string;
}

export function commandRows(): readonly CommandRow[] {
  const own = commands.map((command) => {
    // Behind `--` nothing is a flag of ours.
    const [args = "", behind] = command.args.split(/(?=-- )/);
    return {
      usage: [command.name, args.trim(), ...command.flags.map(flagUsage), behind ?? ""]
        .filter((part) => part !== "")
        .join(" "),
      summary: command.summary,
    };
  });
  return [{ usage: "agent [--SETTING=VALUE]", summary: "run the agent on this host" }, ...own];
}

function flagUsage(flag: { readonly name: string; readonly value: string }): string {
  return flag.value === "" ? `[--${flag.name}]` : `[--${flag.name} ${flag.value}]`;
}
