import type { CollectorHost } from "./assemble-collectors.ts";
import type { Config } from "./config.ts";
import { AgentError } from "./errors.ts";
import type { NodeHost } from "./metrics/compat/node/node-host.ts";
import { createHostFiles } from "./source/host/host-files.ts";
import { findHostRoots } from "./source/host/host-roots.ts";
import { createUnameReader, createZoneReader } from "./source/host/identity.ts";
import { createSpaceReader } from "./source/host/space-reader.ts";
import { parseTimex, timexBytes } from "./source/host/timex.ts";

/** A file system that does not answer within this is taken for dead until it does. */
const spaceLimitMs = 1000;
/** Of the pool's threads, see main.ts. */
const mostStuckMounts = 6;

/** What the collectors of `node_*` read by. */
export function assembleNodeHost(config: Config, { units, syscalls, monotonicMs }: CollectorHost): NodeHost {
  const files = createHostFiles(
    findHostRoots({ proc: config.pathProcfs, sys: config.pathSysfs, rootfs: config.pathRootfs }),
  );
  const readZone = createZoneReader(process.env.TZ);
  const bytes = Buffer.alloc(timexBytes);
  return {
    files,
    space: createSpaceReader({ limitMs: spaceLimitMs, mostStuck: mostStuckMounts }),
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
