// Proves the BPF parts on Debian's own kernel, whatever kernel this machine has: boots it in an emulator, runs there the
// tests that depend on the kernel, says how they went, and closes with `N passed, N failed, N skipped`.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "../support/install-parts.mjs";
import { fetchKernel } from "./debian-kernel.mjs";
import { makeGuestImage } from "./guest-image.mjs";
import { runMachine } from "./qemu.mjs";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
/** An emulated CPU needs about this many times as long. */
const slowness = 20;
const guestLimitSeconds = 25 * 60;
/** Making the guest and starting it comes on top. */
const limitMinutes = 30;

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop.abort(`${signal} came`));
const limit = setTimeout(() => stop.abort(`not done within ${limitMinutes} minutes`), limitMinutes * 60_000);

const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-guest-"));
process.exitCode = await tryKernel()
  .catch((error) => giveUp(error.message))
  .finally(() => rmSync(scratch, { recursive: true, force: true }));
clearTimeout(limit);

async function tryKernel() {
  if (process.arch !== "x64") return giveUp(`Debian's kernel is tried on x64 only, this is ${process.arch}`);
  const failure = installPrograms();
  if (failure !== null) return giveUp(failure);
  const kernel = fetchKernel();
  const initrd = path.join(scratch, "initrd");
  makeGuestImage(root, initrd, {
    GUEST_LIMIT_SECONDS: guestLimitSeconds,
    PIDWARD_TEST_SLOWNESS: slowness,
  });
  const results = path.join(scratch, "results.json");
  process.stderr.write(`kernel: starting Linux ${kernel.version}\n`);
  const reason = await runMachine({ kernel: kernel.image, initrd, results }, stop.signal);
  if (reason !== undefined) return giveUp(`the guest was ended: ${reason}`);
  const text = existsSync(results) ? readFileSync(results, "utf8") : "";
  return text === "" ? giveUp("the guest sent no result") : report(JSON.parse(text));
}

function installPrograms() {
  const needed = [
    ["qemu-system-x86", "/usr/bin/qemu-system-x86_64"],
    ["busybox-static", "/bin/busybox"],
  ];
  const missing = needed.filter(([, program]) => !existsSync(program));
  return missing.length === 0 ? null : install(missing.map(([name]) => name));
}

function giveUp(reason) {
  process.stdout.write(`${reason}\n0 passed, 1 failed, 0 skipped\n`);
  return 1;
}

/** @param run what jest tells of a run by --json */
function report(run) {
  const tests = run.testResults.flatMap((suite) => suite.assertionResults);
  const skipped = tests.filter((test) => ["pending", "todo", "disabled", "skipped"].includes(test.status));
  const broken = run.testResults.filter(
    (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
  );
  for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
  for (const test of tests.filter(({ status }) => status === "failed"))
    process.stdout.write(`failed: ${test.fullName}\n`);
  for (const suite of broken) process.stdout.write(`failed: ${suite.message}\n`);
  const failed = run.numFailedTests + broken.length;
  process.stdout.write(`${run.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped\n`);
  return failed > 0 || run.numPassedTests === 0 ? 1 : 0;
}
