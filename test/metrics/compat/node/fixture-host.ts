import path from "node:path";
import { createCollectorGroup } from "../../../../agent/metrics/collector-group.ts";
import { nodeBuildInfo } from "../../../../agent/metrics/compat/node/build-info.ts";
import { listNodeCollectors } from "../../../../agent/metrics/compat/node/collectors.ts";
import type { NodeHost } from "../../../../agent/metrics/compat/node/node-host.ts";
import { joinPieces } from "../../../../agent/metrics/pieces.ts";
import type { Snapshot } from "../../../../agent/model.ts";
import { createHostFiles, type HostRoots } from "../../../../agent/source/host/host-files.ts";
import { parseTimex, timexBytes } from "../../../../agent/source/host/timex.ts";

/** A tree of test/fixtures/host: `proc`, `sys` and `root`. */
export function fixtureRoots(name: string): HostRoots {
  const at = (folder: string): string => path.join(__dirname, "../../../fixtures/host", name, folder);
  return { proc: at("proc"), sys: at("sys"), netSys: at("sys"), rootfs: at("root") };
}

/** A host that is read from such a tree, with what no file tells made up. */
export function fixtureHost(name: string, facts: Partial<NodeHost> = {}): NodeHost {
  const files = createHostFiles(fixtureRoots(name));
  return {
    files,
    space: {
      read: async (mounted) =>
        mounted.endsWith("/mnt/dead")
          ? "stuck"
          : { sizeBytes: 4096e6, freeBytes: 1024e6, availableBytes: 1000e6, files: 65536, freeFiles: 1234 },
    },
    readClock: () => {
      const bytes = Buffer.alloc(timexBytes);
      bytes.writeBigInt64LE(-1_500_000n, 8);
      bytes.writeBigInt64LE(65_536n * 3n, 16);
      bytes.writeInt32LE(0x2001, 40);
      bytes.writeBigInt64LE(10_000n, 88);
      bytes.writeInt32LE(37, 160);
      const timex = parseTimex(bytes);
      if (timex === undefined) throw new Error("too few bytes");
      return { state: 0, timex };
    },
    readUname: () => ({
      sysname: "Linux",
      release: "6.1.0-18-amd64",
      version: "#1 SMP",
      machine: "x86_64",
      nodename: "fixture-host",
      domainname: "(none)",
    }),
    readZone: () => ({ name: "CET", offsetSeconds: 3600 }),
    now: () => 1_700_000_000_500,
    monotonicMs: () => 0,
    ticksPerSecond: 100,
    pageBytes: 4096,
    ...facts,
  };
}

/** The whole group, as /metrics/node has it. */
export async function renderNode(
  host: NodeHost,
  snapshot: Snapshot,
  onFailure: (collector: string, error: unknown) => void = (_, error) => {
    throw error;
  },
): Promise<string> {
  const group = createCollectorGroup({
    refreshMs: 0,
    group: "node",
    collectors: listNodeCollectors(host),
    constant: [nodeBuildInfo("0.0.0", "20.0.0", "x64")],
    maxSeries: () => 100_000,
    monotonicMs: () => 0,
    onFailure,
    onRendered: () => {},
  });
  return joinPieces(await group.render(snapshot, "text")).toString();
}
