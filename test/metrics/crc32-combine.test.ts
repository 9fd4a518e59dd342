import zlib from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { combineCrc32, shiftOf } from "../../agent/metrics/crc32-combine.ts";

test("the CRC of a text is combined of those of its parts", () => {
  const part = fc
    .tuple(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(1, 1, 7, 300))
    .map(([bytes, times]) => Buffer.concat(Array.from({ length: times }, () => bytes)));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const combined = parts.reduce(
        (crc, bytes) => combineCrc32(crc, zlib.crc32(bytes), shiftOf(bytes.length)),
        0,
      );
      expect(combined).toBe(zlib.crc32(Buffer.concat(parts)));
    }),
  );
});

test("a length beyond 32 bits shifts as its parts do", () => {
  const [first, second] = [0x12345678, 0x9abcdef0];
  const half = 2 ** 33 + 5;
  const once = combineCrc32(first, second, shiftOf(2 * half));
  const twice = combineCrc32(combineCrc32(first, 0, shiftOf(half)), second, shiftOf(half));
  expect(once).toBe(twice);
});
