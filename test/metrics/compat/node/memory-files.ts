import type { HostFiles } from "../../../../agent/source/host/host-files.ts";

/** Files by their paths, below `/proc`, `/sys` and `/root`; the texts may be changed, and what is read is noted. */
export class MemoryFiles implements HostFiles {
  readonly roots = { proc: "/proc", sys: "/sys", netSys: "/sys", rootfs: "/root" };
  readonly texts: Map<string, string>;
  readonly wasRead: string[] = [];

  constructor(texts: Readonly<Record<string, string>>) {
    this.texts = new Map(Object.entries(texts));
  }

  read(path: string): string | undefined {
    this.wasRead.push(path);
    return this.texts.get(path);
  }

  readAttribute(path: string): string | undefined {
    return this.read(path)?.replace(/\n$/, "");
  }

  list(path: string): readonly string[] {
    const below = [...this.texts.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(below.map((name) => name.slice(path.length + 1).split("/")[0] ?? ""))].sort();
  }
}
