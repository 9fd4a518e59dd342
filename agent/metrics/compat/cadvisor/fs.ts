import { readFileSync } from "node:fs";
import type { Container } from "../../../model.ts";
import type { Space, SpaceReader } from "../../../source/host/space-reader.ts";
import { type Mount, mountOf, parseMounts } from "../../../source/machine/mounts.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figures, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubject, CgroupSubjects } from "./cgroup-subjects.ts";
import type { LayerSizes } from "./layer-sizes.ts";

export interface FsParts {
  readonly procRoot: string;
  /** Where the host's root is mounted: `/`, or a folder. */
  readonly rootfs: string;
  readonly space: SpaceReader;
  readonly layers: LayerSizes;
}

/** One file system as a cgroup's series have it; NaN for what is not known. */
interface Part {
  readonly device: string;
  readonly usedBytes: number;
  readonly bytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

const rows = [
  ["container_fs_inodes_free", "Number of available Inodes", (part: Part) => part.freeInodes],
  ["container_fs_inodes_total", "Number of Inodes", (part: Part) => part.inodes],
  [
    "container_fs_limit_bytes",
    "Number of bytes that can be consumed by the container on this filesystem.",
    (part: Part) => part.bytes,
  ],
  [
    "container_fs_usage_bytes",
    "Number of bytes that are consumed by the container on this filesystem.",
    (part: Part) => part.usedBytes,
  ],
] as const;

function families(partsOf: (subject: CgroupSubject) => readonly Part[]): readonly CgroupFamily[] {
  return rows.map(([name, help, read]) =>
    figures(name, "gauge", help, ["device"], (subject) =>
      partsOf(subject).map((part) => [[part.device], read(part)]),
    ),
  );
}

const onDisk = /^(ext[234]|xfs|btrfs|zfs|f2fs)$/;
/** In memory, and nobody's to fill: those that engines make for their containers, and those that hold mounts only. */
const ofNobody = /^\/sys\/|\/(docker|containerd|containers|kubelet|netns)\//;
const mostMounts = 64;

/**
 * The host's own file systems by device, of which one is mounted at many places; those in memory by their place. Those
 * of a network are left out: they are another host's, and their servers can be dead.
 */
function hostMounts(mounts: readonly Mount[]): ReadonlyMap<string, Mount> {
  const found = new Map<string, Mount>();
  for (const mount of mounts) {
    if (found.size === mostMounts) break;
    if (onDisk.test(mount.type) && !found.has(mount.source)) found.set(mount.source, mount);
    if (mount.type === "tmpfs" && !ofNobody.test(mount.point)) found.set(mount.point, mount);
  }
  return found;
}

/** File systems: those of the host for `id="/"`, and what containers have written into their own layers. */
export function createFsCollector(subjects: CgroupSubjects, parts: FsParts): Collector {
  const below = (point: string): string => (parts.rootfs === "/" ? point : `${parts.rootfs}${point}`);
  return {
    group: "container",
    name: "fs",
    collect: async (snapshot) => {
      const all = await subjects.of(snapshot);
      const mounts = parseMounts(readFileSync(`${parts.procRoot}/1/mountinfo`, "utf8"));
      const hosts = hostMounts(mounts);
      const layers = parts.layers.of(all.flatMap(({ container }) => container ?? []));
      const layerMount = (container: Container): Mount | undefined => {
        const folder = layers.get(container.id)?.folder ?? null;
        return folder === null ? undefined : mountOf(folder, mounts);
      };
      const layerMounts = all.flatMap(({ container }) => (container && layerMount(container)) ?? []);
      const points = new Set([...hosts.values(), ...layerMounts].map(({ point }) => below(point)));
      const sizes = await readAll(points, parts.space);
      const sizeOf = ({ point }: Mount): Space | undefined => sizes.get(below(point));
      const ofHost = [...hosts].flatMap(([device, mount]) => toPart(device, sizeOf(mount)));
      return sampleAll(
        families(({ path, container }) => {
          if (path === "/") return ofHost;
          const mount = container && layerMount(container);
          const layer = container && layers.get(container.id);
          if (mount === undefined || layer === undefined) return [];
          const bytes = sizeOf(mount)?.sizeBytes ?? Number.NaN;
          const none = Number.NaN;
          return [{ device: mount.source, usedBytes: layer.bytes, bytes, inodes: none, freeInodes: none }];
        }),
        all,
      );
    },
  };
}

/** Those that answer. */
async function readAll(points: ReadonlySet<string>, space: SpaceReader): Promise<ReadonlyMap<string, Space>> {
  const found = new Map<string, Space>();
  // One after the other: the pool's threads are for others too.
  for (const point of points) {
    const answer = await space.read(point);
    if (typeof answer === "object") found.set(point, answer);
  }
  return found;
}

function toPart(device: string, space: Space | undefined): readonly Part[] {
  if (space === undefined) return [];
  const { sizeBytes, freeBytes, files, freeFiles } = space;
  return [
    { device, usedBytes: sizeBytes - freeBytes, bytes: sizeBytes, inodes: files, freeInodes: freeFiles },
  ];
}
