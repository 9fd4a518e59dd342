// 26 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
// 30 22 0:27 / /sys/fs/cgroup rw,relatime shared:4 - tmpfs tmpfs ro,size=4096k

import { unescapeMount } from "../host/mounts.ts";

/** A file system in the tree (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly point: string;
  readonly type: string;
  /** What is mounted: `/dev/vda`, or any word. */
  readonly source: string;
}

/** In the order of the file, which is that of mounting. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", behind] = line.split(" - ");
    const point = before.split(" ")[4];
    const [type = "", source = ""] = behind?.split(" ") ?? [];
    if (point === undefined || type === "") return [];
    return [{ point: unescapeMount(point), type, source: unescapeMount(source) }];
  });
}

/** The mount that a path is on: the last one with the longest point. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = mount.point === "/" || path === mount.point || path.startsWith(`${mount.point}/`);
    if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}
