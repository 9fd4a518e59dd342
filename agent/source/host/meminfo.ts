// MemTotal:       24683620 kB
// Active(anon):       1828 kB
// HugePages_Total:       0

/** A field of /proc/meminfo (proc_meminfo(5)). */
export interface MemoryField {
  /** As the kernel has it, with parentheses turned into an underscore: `Active_anon`. */
  readonly name: string;
  readonly unit: "bytes" | "none";
  readonly value: number;
}

export function parseMeminfo(text: string): readonly MemoryField[] {
  return [...text.matchAll(/^(\w+)(?:\((\w+)\))?:\s+(\d+)( kB)?$/gm)].map(
    ([, name = "", inner, value = "", unit]) => ({
      name: inner === undefined ? name : `${name}_${inner}`,
      unit: unit === undefined ? "none" : "bytes",
      value: unit === undefined ? Number(value) : Number(value) * 1024,
    }),
  );
}
