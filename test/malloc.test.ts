import { expect, test } from "@jest/globals";
import koffi from "koffi";
import { limitMalloc } from "../agent/malloc.ts";
import { loadSyscalls } from "../agent/syscalls.ts";

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
  expect(limitMalloc(await loadSyscalls())).toBe(true);
  free(malloc(16 << 20));
  const sizes = [9, 11, 15].map((mib) => mib << 20);
  expect(sizes.map(isMapped)).toEqual(sizes.map(() => true));
  expect(isMapped(100 << 10)).toBe(false);
});

test("a C library without it is left as it is", () => {
  expect(limitMalloc({ mallopt: undefined })).toBe(false);
});
