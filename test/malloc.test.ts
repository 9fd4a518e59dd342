import { expect, test } from "@jest/globals";
import koffi from "koffi";
import { limitMalloc } from "../agent/malloc.ts";

test("large blocks are mapped alone, also after a larger one was freed", async () => {
  const libc = koffi.load(null);
  const malloc = libc.func("malloc", "uintptr_t", ["size_t"]);
  const free = libc.func("free", "void", ["uintptr_t"]);
  const pageBytes = 4096;
  /** A block of its own mapping stands behind two words at the beginning of a page. */
  const isMapped = (bytes: number): boolean => {
    const address = BigInt(malloc(bytes));
    free(address);
    return address % BigInt(pageBytes) === 16n;
  };
  expect(await limitMalloc()).toBe(true);
  free(malloc(16 << 20));
  const sizes = [200, 500, 900, 2_000, 7_000].map((kib) => kib << 10);
  expect(sizes.map(isMapped)).toEqual(sizes.map(() => true));
  expect(isMapped(100 << 10)).toBe(false);
});
