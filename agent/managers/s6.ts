import type { ManagerFinder, ManagerParts } from "./manager.ts";
import type { SupervisorLanguage } from "./service-control.ts";
import { parseS6Status } from "./service-state.ts";
import { createSupervisionFinder } from "./supervision-tree.ts";

/**
 * s6 (https://skarnet.org/software/s6/), s6-overlay among it. `d` sends the service its down-signal, `u` right behind it says
 * that it is to come up again: unlike `r`, every version knows both, and `timeout-kill` counts.
 */
const language: SupervisorLanguage = {
  parse: parseS6Status,
  restart: "du",
  start: "u",
  stop: "d",
  kill: "k",
};

export function createS6Finder(parts: ManagerParts): ManagerFinder {
  const tree = {
    kind: "s6",
    scanner: "s6-svscan",
    supervisor: "s6-supervise",
    language,
    // A log is a service of its own, with a supervisor of its own: `web/log`.
    folders: [""],
    folderOf: () => "",
  } as const;
  return createSupervisionFinder(tree, parts);
}
