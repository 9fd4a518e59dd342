import type { Snapshot } from "../../agent/model.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";

const webId = "c0ffee".padEnd(64, "0");
const oldId = "decade".padEnd(64, "1");

/** A host with its own processes, a container with two programs, and one that has stopped. */
export function healthyScene(): Snapshot {
  const snapshot = makeSnapshot(
    [
      { pid: 1, parentPid: 0, name: "systemd", userSeconds: 12.5 },
      { pid: 40, parentPid: 39, containerPid: 1, name: "entry.sh", container: webId },
      {
        pid: 42,
        parentPid: 40,
        containerPid: 7,
        name: "nginx",
        container: webId,
        userSeconds: 1.25,
        openFiles: 12,
      },
      {
        pid: 43,
        parentPid: 42,
        containerPid: 8,
        name: "nginx",
        container: webId,
        state: "R",
        userSeconds: 0.5,
      },
      {
        pid: 44,
        parentPid: 40,
        containerPid: 9,
        name: 'a "b" \\ c\nd',
        container: webId,
        state: "Z",
        openFiles: 0,
      },
    ],
    [
      makeContainer(webId, { name: "web", initPid: 40 }),
      makeContainer(oldId, { name: "old", state: "exited", exitCode: 137, image: "shop/old:1" }),
    ],
  );
  const program = { container: 0, manager: "supervisord", remark: null };
  return {
    ...snapshot,
    managed: [
      { ...program, name: "nginx", state: "RUNNING", condition: "running", pid: 42 },
      { ...program, name: "worker", state: "FATAL", condition: "failed", pid: null },
    ],
  };
}

/** The engine is away and files are refused: ids without names, figures that nobody has. */
export function degradedScene(): Snapshot {
  const unreadable = { readBytes: Number.NaN, openFiles: Number.NaN, openFilesLimit: Number.NaN };
  const snapshot = makeSnapshot([
    { pid: 1, parentPid: 0, name: "systemd", ...unreadable },
    { pid: 40, parentPid: 39, containerPid: 1, name: "entry.sh", container: webId, ...unreadable },
    {
      pid: 42,
      parentPid: 40,
      containerPid: 7,
      name: "nginx",
      container: webId,
      command: null,
      ...unreadable,
    },
  ]);
  return { ...snapshot, problems: [{ kind: "refused", where: "/proc/PID/io", reason: "refused", count: 3 }] };
}
