import { openSync } from "node:fs";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createRingBuffer } from "../../agent/source/bpf/maps.ts";
import type { Syscalls } from "../../agent/syscalls.ts";

const dataBytes = 4096;
const pageBytes = 4096;
const headerBytes = 8;

/** The kernel's side of a ring buffer (kernel/bpf/ringbuf.c), in memory of the test. */
function makeRing() {
  const reader = new ArrayBuffer(pageBytes);
  const writer = new ArrayBuffer(pageBytes + dataBytes);
  const mapped: number[] = [];
  const syscalls = {
    bpf: () => openSync("/dev/null", "r"),
    mapShared: (_fd: number, length: number, offset: number) => {
      mapped.push(length);
      return { bytes: offset === 0 ? reader : writer, unmap: () => {} };
    },
  } as unknown as Syscalls;
  const ring = createRingBuffer(dataBytes, syscalls);
  const data = new Uint8Array(writer, pageBytes);
  const put = (at: number, bytes: Uint8Array): void => {
    for (const [index, byte] of bytes.entries()) data[(at + index) % dataBytes] = byte;
  };
  let position = 0;
  return {
    ring,
    mapped,
    /** @returns false when there is no room */
    write: (record: Uint8Array, bits = 0): boolean => {
      const size = Math.ceil((headerBytes + record.length) / 8) * 8;
      const read = Number(new BigInt64Array(reader)[0]);
      if (position + size - read > dataBytes) return false;
      put(position, new Uint8Array(Uint32Array.of((record.length | bits) >>> 0, 0).buffer));
      put(position + headerBytes, record);
      position += size;
      new BigInt64Array(writer, 0, 1)[0] = BigInt(position);
      return true;
    },
  };
}

/** Takes out what is there, as the lengths that were written say. */
function drain(ring: ReturnType<typeof makeRing>["ring"], lengths: readonly number[]): number[][] {
  const taken: number[][] = [];
  ring.drain((words, at) => {
    const length = lengths[taken.length] ?? 0;
    taken.push([...new Uint8Array(words.slice(at, at + Math.ceil(length / 4)).buffer, 0, length)]);
  });
  return taken;
}

test("records come out whole and in their order, also those that cross the end of the data", () => {
  const rounds = fc.array(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 400, size: "max" }), { minLength: 1, maxLength: 9 }),
    { minLength: 5, maxLength: 30 },
  );
  fc.assert(
    fc.property(rounds, (rounds) => {
      const { ring, write, mapped } = makeRing();
      for (const records of rounds) {
        const written = records.filter((record) => write(record));
        const taken = drain(
          ring,
          written.map(({ length }) => length),
        );
        expect(taken).toEqual(written.map((record) => [...record]));
      }
      expect(mapped).toEqual([pageBytes, pageBytes + dataBytes]);
      ring.close();
    }),
  );
});

test("records of every length cross the end at every place", () => {
  for (let length = 1; length <= 64; length++) {
    const { ring, write } = makeRing();
    // 500 records go round several times, at a place that moves on.
    for (let count = 0; count < 500; count++) {
      const record = Uint8Array.from({ length }, (_, index) => count * 7 + index);
      expect(write(record)).toBe(true);
      expect(drain(ring, [length])).toEqual([[...record]]);
    }
    ring.close();
  }
});

test("what its writer gave up is passed over, what is being written is waited for", () => {
  const { ring, write } = makeRing();
  const [discarded, busy] = [0x4000_0000, 0x8000_0000];
  write(Uint8Array.of(1));
  write(Uint8Array.of(2), discarded);
  write(Uint8Array.of(3));
  write(Uint8Array.of(4), busy);
  write(Uint8Array.of(5));
  expect(drain(ring, [1, 1])).toEqual([[1], [3]]);
  expect(drain(ring, [1])).toEqual([]);
  ring.close();
  expect(drain(ring, [1])).toEqual([]);
});
