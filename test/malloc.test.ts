import { execFileSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { limitMalloc } from "../agent/malloc.ts";

const built = path.join(__dirname, "../dist");

/**
 * In a process of its own, whose heap has no holes of other tests. A block of its own mapping stands behind two words at
 * the beginning of a page.
 */
const script = `
const koffi = require("koffi");
const { loadSyscalls } = require(${JSON.stringify(built)} + "/syscalls.js");
const { limitMalloc } = require(${JSON.stringify(built)} + "/malloc.js");
const malloc = koffi.load(null).func("malloc", "uintptr_t", ["size_t"]);
const free = koffi.load(null).func("free", "void", ["uintptr_t"]);
const isMapped = (bytes) => {
  const address = BigInt(malloc(bytes));
  free(address);
  return address % 4096n === 16n;
};
(async () => {
  const took = process.argv[1] === "limited" && limitMalloc(await loadSyscalls());
  free(malloc(16 << 20));
  const mapped = [9, 11, 15].map((mib) => {
    // Kept, so that no two of them begin at one place of a heap.
    malloc(mib * 1000);
    return isMapped(mib << 20);
  });
  console.log(JSON.stringify({ took, mapped: mapped.every((one) => one) }));
})();
`;

function run(how: "limited" | "as it is"): unknown {
  const options = { cwd: path.dirname(built), encoding: "utf8" } as const;
  return JSON.parse(execFileSync(process.execPath, ["-e", script, how], options));
}

test("large blocks are mapped alone, also after a larger one was freed", () => {
  expect(run("limited")).toEqual({ took: true, mapped: true });
  // What it is there for: without it the first large block that is freed raises the size.
  expect(run("as it is")).toEqual({ took: false, mapped: false });
});

test("a C library without it is left as it is", () => {
  expect(limitMalloc({ mallopt: undefined })).toBe(false);
});
