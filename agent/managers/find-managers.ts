import type { ManagerFinder, ManagerParts } from "./manager.ts";
import { createRunitFinder } from "./runit.ts";
import { createS6Finder } from "./s6.ts";
import { createSupervisordFinder } from "./supervisord.ts";
import { createSystemdFinder } from "./systemd.ts";

/** One finder a kind, in the order in which they are asked. */
export function createManagerFinders(parts: ManagerParts): readonly ManagerFinder[] {
  return [
    createSupervisordFinder(parts),
    createS6Finder(parts),
    createRunitFinder(parts),
    createSystemdFinder(parts),
  ];
}
