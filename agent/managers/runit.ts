import type { ManagerFinder, ManagerParts } from "./manager.ts";
import type { SupervisorLanguage } from "./service-control.ts";
import { parseRunitStatus } from "./service-state.ts";
import { createSupervisionFinder } from "./supervision-tree.ts";

/** runit (http://smarden.org/runit/runsv.8.html, section "control"), busybox's among it: TERM, CONT, up, as sv(8) restarts. */
const language: SupervisorLanguage = {
  parse: parseRunitStatus,
  restart: "tcu",
  start: "u",
  stop: "d",
  kill: "k",
};

export function createRunitFinder(parts: ManagerParts): ManagerFinder {
  const tree = {
    kind: "runit",
    scanner: "runsvdir",
    supervisor: "runsv",
    language,
    folders: ["", "log"],
    // Both are children of one runsv, and only the status says which is which; this is the log's program as a rule.
    folderOf: ({ name }: { readonly name: string }) => (name === "svlogd" ? "log" : ""),
  } as const;
  return createSupervisionFinder(tree, parts);
}
