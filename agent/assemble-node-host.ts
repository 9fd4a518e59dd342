import type { CollectorHost } from "./assemble-collectors.ts";
import type { Config } from "./config.ts";
import { AgentError } from "./errors.ts";
import type { NodeHost } from "./metrics/compat/node/node-host.ts";
import { createHostFiles } from "./source/host/host-files.ts";
import { findHostRoots } from "./source/host/host-roots.ts";
import { createUnameReader, createZoneReader } from "./source/host/identity.ts";
import type { SpaceReader } from "./source/host/space-reader.ts";
import { parseTimex, timexBytes } from "./source/host/timex.ts";

/** What the collectors of `node_*` read by. */
export function assembleNodeHost(
  config: Config,
  { units, syscalls, monotonicMs }: CollectorHost,
  space: SpaceReader,
): NodeHost {
  const files = createHostFiles(
    findHostRoots({ proc: config.pathProcfs, sys: config.pathSysfs, rootfs: config.pathRootfs }),
  );
  const readZone = createZoneReader(process.env.TZ);
  const bytes = Buffer.alloc(timexBytes);
  return {
    files,
    space,
    readClock:
      syscalls &&
      (() => {
        const state = syscalls.readClock(bytes);
        const timex = parseTimex(bytes);
        if (timex === undefined) throw new AgentError("internal", "adjtimex(2) needs more bytes");
        return { state, timex };
      }),
    readUname: createUnameReader(files),
    readZone: () => readZone(new Date()),
    now: Date.now,
    monotonicMs,
    ticksPerSecond: units.ticksPerSecond,
    pageBytes: units.pageBytes,
  };
}
