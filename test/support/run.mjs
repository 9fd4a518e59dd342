// The test run: installs the real parts, runs jest with what stands behind `npm test --`, ends what was left running, says
// why tests did not run, and closes with `N passed, N failed, N skipped` alone on the last line.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { installParts } from "./install-parts.mjs";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-test-"));
const results = path.join(scratch, "results.json");
const parts = installParts();
/**
 * TERM is sent once: an engine ends its containers by it, which takes ten seconds where they do not care, and leaves them
 * all behind when it comes three times.
 */
const endings = [
  ["SIGTERM", 30_000],
  ["SIGKILL", 5_000],
];

const jest = spawn(
  process.execPath,
  [
    path.join(root, "node_modules/jest/bin/jest.js"),
    "--json",
    `--outputFile=${results}`,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    // jest prints its JSON on stdout although it writes the file: people read stderr.
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, PIDWARD_TEST_PARTS: JSON.stringify(parts), PIDWARD_TEST_SCRATCH: scratch },
  },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => jest.kill(signal));
const code = await new Promise((resolve) => jest.on("exit", (status) => resolve(status ?? 1)));
await endLeftovers();
process.exitCode = report(code);
rmSync(scratch, { recursive: true, force: true });

/** What global-teardown.ts did not get to because jest was ended: every process that noted its PID in the scratch folder. */
async function endLeftovers() {
  const noted = path.join(scratch, "started");
  if (!existsSync(noted)) return;
  for (const line of readFileSync(noted, "utf8").trim().split("\n").reverse()) {
    const [pid, startTicks] = line.split(" ").map(Number);
    const isSame = () => startTicksOf(pid) === startTicks;
    for (const [signal, limitMs] of endings) {
      if (isSame()) process.kill(pid, signal);
      for (const end = Date.now() + limitMs; isSame() && Date.now() < end; )
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function startTicksOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}

function report(status) {
  if (!existsSync(results)) {
    process.stdout.write("0 passed, 1 failed, 0 skipped\n");
    return 1;
  }
  const run = JSON.parse(readFileSync(results, "utf8"));
  const suites = run.testResults.filter(
    (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
  );
  const skipped = run.testResults
    .flatMap((suite) => suite.assertionResults)
    .filter((test) => ["pending", "todo", "disabled", "skipped"].includes(test.status));
  for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
  const passed = run.numPassedTests;
  const failed = run.numFailedTests + suites.length;
  if (passed + failed === 0) process.stdout.write("no test was run\n");
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
  return failed > 0 || passed === 0 ? 1 : status;
}
