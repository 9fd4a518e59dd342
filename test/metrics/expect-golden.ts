import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "@jest/globals";

/** Compares with a file of test/golden; UPDATE_GOLDEN=1 writes it anew: read the difference then. */
export function expectGolden(name: string, text: string): void {
  const file = path.join(__dirname, "../golden", name);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}
