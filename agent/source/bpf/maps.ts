import { closeSync } from "node:fs";
import type { Syscalls } from "../../syscalls.ts";
import { attributeBytes } from "./loader.ts";

// enum bpf_cmd and enum bpf_map_type of include/uapi/linux/bpf.h; their numbers never change.
const BPF_MAP_CREATE = 0;
const BPF_MAP_LOOKUP_ELEM = 1;
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_RINGBUF = 27;
const BPF_F_MMAPABLE = 1024;

/** Bits of a ring record's first word (include/uapi/linux/bpf.h): still being written; given up by its writer. */
const BPF_RINGBUF_BUSY_BIT = 0x8000_0000;
const BPF_RINGBUF_DISCARD_BIT = 0x4000_0000;
const headerBytes = 8;
const pageBytes = 4096;

/** A counter that programs add to. */
export interface CounterMap {
  readonly fd: number;
  read(): number;
  close(): void;
}

/** An array map of one 64-bit figure. */
export function createCounterMap(syscalls: Syscalls): CounterMap {
  const fd = createMap(
    { type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: 8, entries: 1, name: "pidward_lost" },
    syscalls,
  );
  // The value, then the key: one buffer, which `read` keeps alive.
  const memory = Buffer.alloc(16);
  const attributes = Buffer.alloc(attributeBytes);
  attributes.writeUInt32LE(fd, 0);
  attributes.writeBigUInt64LE(syscalls.addressOf(memory) + 8n, 8);
  attributes.writeBigUInt64LE(syscalls.addressOf(memory), 16);
  return {
    fd,
    read: () => {
      syscalls.bpf(BPF_MAP_LOOKUP_ELEM, attributes);
      return Number(memory.readBigUInt64LE(0));
    },
    close: () => closeSync(fd),
  };
}

/** One value that programs and the agent share: both see what the other writes. */
export interface MappedValue {
  readonly fd: number;
  /** Not to be touched after `close`: the process would be killed. */
  readonly bytes: ArrayBuffer;
  close(): void;
}

/** An array map of one value, which starts as zeros; since Linux 5.5. @param name at most 15 characters */
export function createMappedValue(bytes: number, name: string, syscalls: Syscalls): MappedValue {
  const flags = BPF_F_MMAPABLE;
  const fd = createMap(
    { type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: bytes, entries: 1, name, flags },
    syscalls,
  );
  try {
    const mapped = syscalls.mapShared(fd, bytes, 0, "write");
    return {
      fd,
      bytes: mapped.bytes,
      close: () => {
        mapped.unmap();
        closeSync(fd);
      },
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Records that programs write and the agent takes out, in their order (Documentation/bpf/ringbuf.rst). */
export interface RingBuffer {
  readonly fd: number;
  /**
   * Hands over every finished record: the words of the ring's data, and the index of the record's first word. They are
   * valid only during the call.
   * @returns how many there were; none after `close`
   */
  drain(take: (words: Uint32Array, at: number) => void): number;
  /** Gives the memory back. */
  close(): void;
}

/**
 * Maps three parts, one behind the other: a page with the reader's position, a page with the writer's, and the data. The
 * kernel would map the data twice, so that a record which crosses the end can be read in one piece; every page of that
 * counts as the agent's memory once more, and copying the few records that cross costs nothing.
 * @param dataBytes a power of two, at least a page
 */
export function createRingBuffer(dataBytes: number, syscalls: Syscalls): RingBuffer {
  const fd = createMap(
    { type: BPF_MAP_TYPE_RINGBUF, keyBytes: 0, valueBytes: 0, entries: dataBytes, name: "pidward_ring" },
    syscalls,
  );
  const reader = syscalls.mapShared(fd, pageBytes, 0, "write");
  const writer = syscalls.mapShared(fd, pageBytes + dataBytes, pageBytes, "read");
  const readerPosition = new BigInt64Array(reader.bytes, 0, 1);
  const writerPosition = new BigInt64Array(writer.bytes, 0, 1);
  const words = new Uint32Array(writer.bytes, pageBytes, dataBytes / 4);
  let isOpen = true;
  return {
    fd,
    drain: (take) => {
      // A scan that was under way when the agent stopped comes here; memory that is unmapped would end the process.
      if (!isOpen) return 0;
      // Loads and stores that other CPUs see in this order (smp_load_acquire, smp_store_release).
      const end = Number(Atomics.load(writerPosition, 0));
      let position = Number(Atomics.load(readerPosition, 0));
      let count = 0;
      try {
        while (position < end) {
          const at = (position % dataBytes) / 4;
          const header = Atomics.load(words, at);
          if ((header & BPF_RINGBUF_BUSY_BIT) !== 0) break;
          const length = header & (BPF_RINGBUF_DISCARD_BIT - 1);
          position += Math.ceil((length + headerBytes) / 8) * 8;
          if ((header & BPF_RINGBUF_DISCARD_BIT) !== 0) continue;
          count++;
          takeRecord(words, at + headerBytes / 4, length, take);
        }
      } finally {
        // Also when a record could not be taken: it would be in the way of all that follow.
        Atomics.store(readerPosition, 0, BigInt(position));
      }
      return count;
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      reader.unmap();
      writer.unmap();
      closeSync(fd);
    },
  };
}

/** @param at the index of the record's first word, which is beyond the end when its header is the last of the data */
function takeRecord(
  words: Uint32Array,
  at: number,
  bytes: number,
  take: (words: Uint32Array, at: number) => void,
): void {
  const end = at + Math.ceil(bytes / 4);
  if (end <= words.length) take(words, at);
  else if (at >= words.length) take(words, at - words.length);
  else {
    const whole = new Uint32Array(end - at);
    const head = words.subarray(at);
    whole.set(head);
    whole.set(words.subarray(0, end - words.length), head.length);
    take(whole, 0);
  }
}

interface MapKind {
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly entries: number;
  /** At most 15 characters of letters, digits, `_` and `.`. */
  readonly name: string;
  readonly flags?: number;
}

function createMap(kind: MapKind, syscalls: Syscalls): number {
  const attributes = Buffer.alloc(attributeBytes);
  attributes.writeUInt32LE(kind.type, 0);
  attributes.writeUInt32LE(kind.keyBytes, 4);
  attributes.writeUInt32LE(kind.valueBytes, 8);
  attributes.writeUInt32LE(kind.entries, 12);
  attributes.writeUInt32LE(kind.flags ?? 0, 16);
  attributes.write(kind.name, 28, "latin1");
  return syscalls.bpf(BPF_MAP_CREATE, attributes);
}
