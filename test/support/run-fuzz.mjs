// npm run fuzz [-- RUNS]: every property of the unit tests with RUNS cases (3000 when left out), and how many there were.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const runs = Number(process.argv[2] ?? 3000);
if (!Number.isInteger(runs) || runs < 1) {
  console.error("npm run fuzz takes a number of cases for each property");
  process.exit(2);
}
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-fuzz-"));
const record = path.join(scratch, "record");
const { status } = spawnSync(
  process.execPath,
  ["node_modules/jest/bin/jest.js", "--selectProjects=unit", "--testTimeout=600000"],
  { stdio: "inherit", env: { ...process.env, PIDWARD_FUZZ_RUNS: String(runs), PIDWARD_FUZZ_RECORD: record } },
);
const lines = existsSync(record) ? readFileSync(record, "utf8").trim().split("\n") : [];
rmSync(scratch, { recursive: true });
const cases = lines.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0);
const failed = lines.filter((line) => line.endsWith("failed")).length;
console.log(`${cases} cases of ${lines.length} properties, ${failed} properties failed`);
process.exit(status ?? 1);
