// The kernel's own description of its types, /sys/kernel/btf/vmlinux (Documentation/bpf/btf.rst):
// header { u16 magic = 0xeb9f; u8 version, flags; u32 hdr_len, type_off, type_len, str_off, str_len }
// then types { u32 name_off, info, size_or_type } each followed by what its kind needs, then the strings.
import { endianness } from "node:os";
import { AgentError } from "../../errors.ts";

/** A field of a struct, through structs and unions within it. */
export interface Field {
  /** Bytes from the beginning of the struct. */
  readonly offset: number;
  /** Bytes; of a pointer, 8. */
  readonly size: number;
  /** What it is, modifiers and typedefs taken off. */
  readonly typeId: number;
}

/** Types of one kernel. Names are looked up, never assumed; undefined: this kernel has it not. */
export interface Btf {
  /**
   * @param path members joined by dots: `se.sum_exec_runtime`; those of anonymous members as if they were the struct's
   *   own, and `name[3]` for an element
   */
  findField(structName: string, path: string): Field | undefined;
  /** The value of an enumerator. */
  findEnumerator(name: string): number | undefined;
  findFunctionId(name: string): number | undefined;
  /**
   * A tracepoint by its name, `sched_process_exit`: the typedef to which a program is attached, and how many arguments
   * its probes are given.
   */
  findTracepoint(name: string): { readonly typeId: number; readonly parameters: number } | undefined;
  /** Bytes of a struct. */
  findStructSize(name: string): number | undefined;
}

const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  functionPrototype: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

const magic = 0xeb9f;
/** Types refer to each other; a chain longer than this is a loop in a broken blob. */
const longestChain = 64;
const pointerBytes = 8;

/** Bytes behind a type's first twelve, by kind. */
function extraBytes(kind: number, count: number): number | undefined {
  switch (kind) {
    case kinds.int:
    case kinds.variable:
    case kinds.declarationTag:
      return 4;
    case kinds.array:
      return 12;
    case kinds.struct:
    case kinds.union:
    case kinds.dataSection:
    case kinds.enum64:
      return 12 * count;
    case kinds.enum:
    case kinds.functionPrototype:
      return 8 * count;
    case kinds.pointer:
    case kinds.forward:
    case kinds.typedef:
    case kinds.volatile:
    case kinds.const:
    case kinds.restrict:
    case kinds.function:
    case kinds.float:
    case kinds.typeTag:
      return 0;
    default:
      return undefined;
  }
}

/**
 * Reads the blob's index; types are read when asked for.
 * @throws AgentError `unavailable` when the bytes are no BTF of this machine's byte order
 */
export function parseBtf(bytes: Buffer): Btf {
  if (endianness() !== "LE") throw broken("only little-endian machines are supported");
  if (bytes.length < 24 || bytes.readUInt16LE(0) !== magic) throw broken("the magic number is not there");
  const headerLength = bytes.readUInt32LE(4);
  const typesFrom = headerLength + bytes.readUInt32LE(8);
  const typesEnd = typesFrom + bytes.readUInt32LE(12);
  const stringsFrom = headerLength + bytes.readUInt32LE(16);
  const stringsEnd = stringsFrom + bytes.readUInt32LE(20);
  if (typesEnd > bytes.length || stringsEnd > bytes.length) throw broken("it is cut off");
  const offsets = indexTypes(bytes, typesFrom, typesEnd);
  const strings = bytes.subarray(stringsFrom, stringsEnd);
  return createLookups(bytes, offsets, strings);
}

/** Type id → where it begins; id 0 is void. */
function indexTypes(bytes: Buffer, from: number, end: number): Uint32Array {
  let offsets = new Uint32Array(1024);
  let count = 1;
  for (let at = from; at + 12 <= end; ) {
    if (count === offsets.length) {
      const grown = new Uint32Array(offsets.length * 2);
      grown.set(offsets);
      offsets = grown;
    }
    offsets[count++] = at;
    const info = bytes.readUInt32LE(at + 4);
    const extra = extraBytes((info >>> 24) & 0x1f, info & 0xffff);
    if (extra === undefined) throw broken(`type ${count - 1} has the unknown kind ${(info >>> 24) & 0x1f}`);
    at += 12 + extra;
    if (at > end) throw broken(`type ${count - 1} is cut off`);
  }
  return offsets.subarray(0, count);
}

interface Type {
  readonly at: number;
  readonly kind: number;
  readonly count: number;
  /** Whether members have bit fields: then an offset's upper byte is a width. */
  readonly hasBitFields: boolean;
  readonly sizeOrType: number;
}

function createLookups(bytes: Buffer, offsets: Uint32Array, strings: Buffer): Btf {
  const typeOf = (id: number): Type | undefined => {
    const at = id === 0 ? undefined : offsets[id];
    if (at === undefined) return undefined;
    const info = bytes.readUInt32LE(at + 4);
    return {
      at,
      kind: (info >>> 24) & 0x1f,
      count: info & 0xffff,
      hasBitFields: info >>> 31 === 1,
      sizeOrType: bytes.readUInt32LE(at + 8),
    };
  };
  /** Takes typedefs, const, volatile, restrict and tags off. */
  const strip = (id: number): number => {
    let bare = id;
    for (let step = 0; step < longestChain; step++) {
      const type = typeOf(bare);
      const isCover =
        type?.kind === kinds.typedef ||
        type?.kind === kinds.volatile ||
        type?.kind === kinds.const ||
        type?.kind === kinds.restrict ||
        type?.kind === kinds.typeTag;
      if (type === undefined || !isCover) return bare;
      bare = type.sizeOrType;
    }
    return 0;
  };
  const sizeOf = (id: number, depth = 0): number => {
    const type = typeOf(strip(id));
    if (type === undefined || depth > longestChain) return 0;
    if (type.kind === kinds.pointer) return pointerBytes;
    if (type.kind !== kinds.array) return type.sizeOrType;
    return bytes.readUInt32LE(type.at + 20) * sizeOf(bytes.readUInt32LE(type.at + 12), depth + 1);
  };
  /** Where the string stands in the strings; each stands there once. */
  const findString = (text: string): number | undefined => {
    const at = strings.indexOf(Buffer.from(`\0${text}\0`));
    return at === -1 ? undefined : at + 1;
  };
  const findType = (name: string, wanted: readonly number[]): number | undefined => {
    const nameAt = findString(name);
    if (nameAt === undefined) return undefined;
    for (let id = 1; id < offsets.length; id++) {
      const at = offsets[id] ?? 0;
      if (bytes.readUInt32LE(at) === nameAt && wanted.includes((bytes.readUInt32LE(at + 4) >>> 24) & 0x1f))
        return id;
    }
    return undefined;
  };
  const findMember = (structId: number, name: string, depth = 0): Field | undefined => {
    const type = typeOf(strip(structId));
    const nameAt = findString(name);
    const isStruct = type?.kind === kinds.struct || type?.kind === kinds.union;
    if (type === undefined || nameAt === undefined || !isStruct || depth > longestChain) return undefined;
    for (let index = 0; index < type.count; index++) {
      const member = type.at + 12 + 12 * index;
      const typeId = bytes.readUInt32LE(member + 4);
      const bits = bytes.readUInt32LE(member + 8);
      const offset = (type.hasBitFields ? bits & 0xffffff : bits) >>> 3;
      const ownName = bytes.readUInt32LE(member);
      if (ownName === nameAt) return { offset, size: sizeOf(typeId), typeId: strip(typeId) };
      const inner = ownName === 0 ? findMember(typeId, name, depth + 1) : undefined;
      if (inner !== undefined) return { ...inner, offset: offset + inner.offset };
    }
    return undefined;
  };
  const elementOf = (field: Field, index: number): Field | undefined => {
    const type = typeOf(field.typeId);
    if (type?.kind !== kinds.array || index >= bytes.readUInt32LE(type.at + 20)) return undefined;
    const typeId = strip(bytes.readUInt32LE(type.at + 12));
    const size = sizeOf(typeId);
    return { offset: field.offset + index * size, size, typeId };
  };
  return {
    findField: (structName, path) => {
      const structId = findType(structName, [kinds.struct, kinds.union]);
      if (structId === undefined) return undefined;
      let found: Field | undefined = { offset: 0, size: sizeOf(structId), typeId: structId };
      for (const step of path.split(".")) {
        const [, name = "", index] = /^(\w+)(?:\[(\d+)\])?$/.exec(step) ?? [];
        const member: Field | undefined = found && findMember(found.typeId, name);
        const chosen: Field | undefined =
          member && index !== undefined ? elementOf(member, Number(index)) : member;
        found = chosen && found && { ...chosen, offset: found.offset + chosen.offset };
      }
      return found;
    },
    findEnumerator: (name) => {
      const nameAt = findString(name);
      if (nameAt === undefined) return undefined;
      for (let id = 1; id < offsets.length; id++) {
        const type = typeOf(id);
        if (type === undefined || (type.kind !== kinds.enum && type.kind !== kinds.enum64)) continue;
        const width = type.kind === kinds.enum ? 8 : 12;
        for (let index = 0; index < type.count; index++) {
          const at = type.at + 12 + width * index;
          if (bytes.readUInt32LE(at) === nameAt) return bytes.readInt32LE(at + 4);
        }
      }
      return undefined;
    },
    findFunctionId: (name) => findType(name, [kinds.function]),
    findTracepoint: (name) => {
      // typedef void (*btf_trace_NAME)(void *__data, …): the first parameter is not the tracepoint's own.
      const typeId = findType(`btf_trace_${name}`, [kinds.typedef]);
      const pointer = typeId === undefined ? undefined : typeOf(strip(typeId));
      const prototype = pointer?.kind === kinds.pointer ? typeOf(pointer.sizeOrType) : undefined;
      if (typeId === undefined || prototype?.kind !== kinds.functionPrototype) return undefined;
      return { typeId, parameters: Math.max(0, prototype.count - 1) };
    },
    findStructSize: (name) => {
      const id = findType(name, [kinds.struct]);
      return id === undefined ? undefined : sizeOf(id);
    },
  };
}

function broken(why: string): AgentError {
  return new AgentError("unavailable", `the kernel's type information cannot be read: ${why}`);
}
