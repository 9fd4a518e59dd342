// npm run soak -- --minutes 10: an agent beside containers that start and die without end; the table goes to stdout, and
// the exit code is 1 when memory or descriptors do not stay as they were.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installParts } from "../support/install-parts.mjs";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes >= 1)) {
  process.stderr.write("soak: --minutes is a number from 1\n");
  process.exit(2);
}
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const jest = spawn(
  process.execPath,
  [
    path.join(root, "node_modules/jest/bin/jest.js"),
    `--config=${path.join(root, "test/soak/jest.config.mjs")}`,
    "--runInBand",
  ],
  {
    cwd: root,
    stdio: ["ignore", "inherit", "pipe"],
    env: {
      ...process.env,
      PIDWARD_TEST_PARTS: JSON.stringify(installParts()),
      PIDWARD_SOAK_MINUTES: String(minutes),
    },
  },
);
let told = "";
jest.stderr.on("data", (chunk) => {
  told += chunk;
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => jest.kill(signal));
jest.on("exit", (code) => {
  // What jest says is of use where something failed; what was measured stands on stdout.
  if (code !== 0) process.stderr.write(told);
  process.exitCode = code === 0 ? 0 : 1;
});
