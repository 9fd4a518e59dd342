// Makes a small BTF blob of a kernel's own: node test/kernels/trim-btf.mjs VMLINUX_BTF_OR_VMLINUZ OUTPUT
// It keeps, to the letter, the types that the agent's programs look into. What those only point to becomes void, and what
// they only contain keeps its name and size.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** Structs whose members are kept; those of anonymous structs always are. */
const structs = [
  "task_struct",
  "signal_struct",
  "cred",
  "mm_struct",
  "css_set",
  "cgroup",
  "cgroup_subsys_state",
  "kernfs_node",
  "files_struct",
  "fdtable",
  "sched_entity",
  "task_io_accounting",
  "rlimit",
  "mm_rss_stat",
  "percpu_counter",
  "bpf_iter_meta",
  "bpf_iter_task",
  "list_head",
];
const functions = [
  "bpf_iter_task",
  "bpf_iter_task_new",
  "bpf_iter_task_next",
  "bpf_iter_task_destroy",
  "bpf_task_acquire",
  "bpf_task_release",
  "bpf_rcu_read_lock",
  "bpf_rcu_read_unlock",
];
const tracepoints = ["btf_trace_sched_process_exit", "btf_trace_sched_process_free"];
const enumerators = [
  "BPF_TRACE_ITER",
  "BPF_TRACE_RAW_TP",
  "BPF_PROG_TYPE_TRACING",
  "BPF_PROG_TYPE_SYSCALL",
  "memory_cgrp_id",
  "BPF_TASK_ITER_PROC_THREADS",
  "BPF_TASK_ITER_ALL_PROCS",
];

const [, , input, output] = process.argv;
if (output === undefined) {
  process.stderr.write("trim-btf.mjs VMLINUX_BTF_OR_VMLINUZ OUTPUT\n");
  process.exit(2);
}
writeFileSync(output, trim(findBtf(readFileSync(input))));

/** The blob itself, or the section of the kernel that is packed in a vmlinuz (scripts/extract-vmlinux). */
function findBtf(bytes) {
  if (bytes.readUInt16LE(0) === 0xeb9f) return bytes;
  const packers = [
    [Buffer.from([0x02, 0x21, 0x4c, 0x18]), "lz4"],
    [Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), "xz"],
    [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), "zstd"],
    [Buffer.from([0x1f, 0x8b, 8]), "gzip"],
  ];
  for (const [magic, program] of packers) {
    for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
      // The image goes on behind it, which the programs say on stderr and by their exit code.
      const options = { input: bytes.subarray(at), maxBuffer: 1 << 30 };
      const { stdout } = spawnSync(program, ["-d", "-c"], options);
      if (stdout?.length > 1 << 20 && stdout.subarray(0, 4).toString("latin1") === "\x7fELF")
        return sectionOf(stdout, ".BTF");
    }
  }
  throw new Error("neither a BTF blob nor a vmlinuz");
}

/** A section of a 64-bit ELF file (elf(5)). */
function sectionOf(elf, wanted) {
  const table = Number(elf.readBigUInt64LE(40));
  const [size, count, names] = [elf.readUInt16LE(58), elf.readUInt16LE(60), elf.readUInt16LE(62)];
  const section = (index) => {
    const at = table + index * size;
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      bytes: Number(elf.readBigUInt64LE(at + 32)),
    };
  };
  const strings = section(names).offset;
  for (let index = 0; index < count; index++) {
    const { name, offset, bytes } = section(index);
    const end = elf.indexOf(0, strings + name);
    if (elf.toString("latin1", strings + name, end) === wanted) return elf.subarray(offset, offset + bytes);
  }
  throw new Error(`the kernel has no section ${wanted}`);
}

function trim(blob) {
  const word = (at) => blob.readUInt32LE(at);
  const header = word(4);
  const [from, end, strings] = [header + word(8), header + word(8) + word(12), header + word(16)];
  const text = (at) => blob.toString("latin1", strings + at, blob.indexOf(0, strings + at));
  // What follows a type's first twelve bytes, by kind (Documentation/bpf/btf.rst).
  const each = { 4: 12, 5: 12, 15: 12, 19: 12, 6: 8, 13: 8 };
  const fixed = { 1: 4, 14: 4, 17: 4, 3: 12 };
  const types = [undefined];
  for (let at = from; at < end; ) {
    const info = word(at + 4);
    const kind = (info >>> 24) & 31;
    const count = info & 0xffff;
    types.push({ at, kind, count, info, name: text(word(at)), value: word(at + 8) });
    at += 12 + (fixed[kind] ?? (each[kind] ?? 0) * count);
  }
  let words = "\0";
  const nameAt = (name) => {
    if (name === "") return 0;
    const known = words.indexOf(`\0${name}\0`);
    if (known !== -1) return known + 1;
    words += `${name}\0`;
    return words.length - name.length - 1;
  };
  const kept = [];
  const ids = new Map();
  const keep = (id) => {
    const type = types[id];
    if (type === undefined) return 0;
    const known = ids.get(id);
    if (known !== undefined) return known;
    const own = kept.push(undefined);
    ids.set(id, own);
    kept[own - 1] = copy(type);
    return own;
  };
  /** The words of a type: those that it refers to are kept, too. */
  const copy = ({ at, kind, count, info, name, value }) => {
    const isOpen = name === "" || structs.includes(name);
    const hasMembers = kind === 4 || kind === 5;
    const member = (index, size) => at + 12 + index * size;
    const range = Array.from({ length: count }, (_, index) => index);
    if (hasMembers && !isOpen) return [nameAt(name), (info & ~0xffff) >>> 0, value];
    if (hasMembers) {
      const members = range.map((index) => member(index, 12));
      return [
        nameAt(name),
        info,
        value,
        ...members.flatMap((one) => [nameAt(text(word(one))), keep(word(one + 4)), word(one + 8)]),
      ];
    }
    if (kind === 2) return [nameAt(name), info, types[value]?.kind === 13 ? keep(value) : 0];
    if (kind === 3) return [0, info, 0, keep(word(at + 12)), keep(word(at + 16)), word(at + 20)];
    if (kind === 13)
      return [
        0,
        info,
        0,
        ...range.flatMap((index) => [
          0,
          word(member(index, 8) + 4) === 0 ? 0 : keepShallow(word(member(index, 8) + 4)),
        ]),
      ];
    if (kind === 12) return [nameAt(name), info, keep(value)];
    if (kind === 6)
      return [
        nameAt(name),
        info,
        value,
        ...range.flatMap((index) => [nameAt(text(word(member(index, 8)))), word(member(index, 8) + 4)]),
      ];
    if (kind === 1) return [nameAt(name), info, value, word(at + 12)];
    if ([8, 9, 10, 11, 18].includes(kind)) return [nameAt(name), info, keep(value)];
    return [nameAt(name), info, value];
  };
  /** A parameter: a prototype is only asked how many it has. */
  const keepShallow = (id) => (types[id].kind === 2 ? keep(id) : 0);
  for (const [id, type] of types.entries()) {
    if (type === undefined) continue;
    const isWanted =
      (type.kind === 4 && structs.includes(type.name)) ||
      (type.kind === 12 && functions.includes(type.name)) ||
      (type.kind === 8 && tracepoints.includes(type.name)) ||
      (type.kind === 6 &&
        Array.from({ length: type.count }, (_, index) => text(word(type.at + 12 + index * 8))).some((one) =>
          enumerators.includes(one),
        ));
    if (isWanted) keep(id);
  }
  const body = Buffer.from(Uint32Array.from(kept.flat()).buffer);
  const names = Buffer.from(words, "latin1");
  const head = Buffer.alloc(24);
  head.writeUInt16LE(0xeb9f, 0);
  head.writeUInt8(1, 2);
  for (const [index, figure] of [24, 0, body.length, body.length, names.length].entries())
    head.writeUInt32LE(figure, 4 + index * 4);
  return Buffer.concat([head, body, names]);
}
