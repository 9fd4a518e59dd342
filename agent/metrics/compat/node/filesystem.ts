import { type Mount, parseMounts } from "../../../source/host/mounts.ts";
import type { Space, SpaceAnswer } from "../../../source/host/space-reader.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const ignoredMountPoints =
  /^\/(dev|proc|run\/credentials\/.+|sys|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)($|\/)/;
const ignoredTypes =
  /^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$/;

const family = (name: string, help: string): Family =>
  gauge(`node_filesystem_${name}`, help, "device", "fstype", "mountpoint");

const deviceError = family(
  "device_error",
  "Whether an error occurred while getting statistics for the given device.",
);
const readOnly = family("readonly", "Filesystem read-only status.");

const figures: readonly (readonly [family: Family, figure: keyof Space])[] = [
  [family("avail_bytes", "Filesystem space available to non-root users in bytes."), "availableBytes"],
  [family("files", "Filesystem total file nodes."), "files"],
  [family("files_free", "Filesystem total free file nodes."), "freeFiles"],
  [family("free_bytes", "Filesystem free space in bytes."), "freeBytes"],
  [family("size_bytes", "Filesystem size in bytes."), "sizeBytes"],
];

interface Measured {
  readonly mount: Mount;
  readonly answer: SpaceAnswer;
}

/** The mounts of the host's init, measured below its root. One that does not answer is an error of its own only. */
export function createFilesystemCollector({ files, space }: NodeHost): Collector {
  const readMounts = createMountReader();
  const labels = ({ mount }: Measured): readonly string[] => [mount.device, mount.type, mount.mountPoint];
  return nodeCollector("filesystem", async () => {
    const { proc, rootfs } = files.roots;
    // With hidepid (proc(5)) other users' processes have no folder: then the agent's own mounts stand for them.
    const text = files.read(`${proc}/1/mounts`) ?? files.read(`${proc}/mounts`) ?? "";
    const measured: Measured[] = [];
    for (const mount of readMounts(text)) {
      const path = rootfs + mount.mountPoint;
      measured.push({ mount, answer: await space.read(path) });
    }
    return [
      series(deviceError, measured, (one) => [labels(one), typeof one.answer === "string" ? 1 : 0]),
      series(readOnly, measured, (one) => [labels(one), one.mount.isReadOnly ? 1 : 0]),
      ...figures.map(([own, figure]) =>
        series(own, measured, (one) => [
          labels(one),
          typeof one.answer === "string" ? undefined : one.answer[figure],
        ]),
      ),
    ];
  });
}

/** A host of many containers has a long table, nearly always the same one. */
function createMountReader(): (text: string) => readonly Mount[] {
  let last: { readonly text: string; readonly mounts: readonly Mount[] } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, mounts: distinct(parseMounts(text).filter(isWanted)) };
    return last.mounts;
  };
}

function isWanted({ mountPoint, type }: Mount): boolean {
  return !ignoredMountPoints.test(mountPoint) && !ignoredTypes.test(type);
}

/** A device can be mounted at one place several times. */
function distinct(mounts: readonly Mount[]): readonly Mount[] {
  const seen = new Map<string, Mount>();
  for (const mount of mounts) {
    const key = `${mount.device}\0${mount.type}\0${mount.mountPoint}`;
    if (!seen.has(key)) seen.set(key, mount);
  }
  return [...seen.values()];
}
