import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect } from "@jest/globals";
import { TestAgent } from "../support/agent.ts";
import { noteStarted } from "../support/started.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-service-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Prints what comes, as systemd would take it: `|` ends a datagram. */
const receiver = `
import socket, sys
where = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(where.replace("@", "\\0", 1))
print("bound|", end="", flush=True)
while True: print(s.recv(4096).decode() + "|", end="", flush=True)
`;

async function listen(where: string): Promise<{ said: () => string; child: ChildProcess }> {
  const child = spawn("python3", ["-c", receiver, where], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.pid !== undefined) noteStarted(child.pid);
  let said = "";
  child.stdout.on("data", (chunk) => (said += chunk));
  await waitFor("the service manager's socket", () => said.startsWith("bound|"));
  return { said: () => said, child };
}

for (const where of [path.join(folder, "notify"), `@pidward-test-${process.pid}`]) {
  testWith(
    ["python"],
    `a service manager at ${where[0]}… is told of the start, of life and of the end`,
    async () => {
      const { said, child } = await listen(where);
      const agent = new TestAgent();
      try {
        await agent.start({ env: { NOTIFY_SOCKET: where, WATCHDOG_USEC: "400000" } });
        await waitFor("signs of life", () => said().split("WATCHDOG=1|").length > 3);
        expect(said()).toMatch(
          /^bound\|READY=1\nSTATUS=listening on 127\.0\.0\.1:\d+ and unix:\/\/\S+, processes by \w+\|/,
        );
        await agent.stop();
        await waitFor("the end", () => said().endsWith("STOPPING=1|"));
      } finally {
        await agent.remove();
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
    },
  );
}

const repository = path.join(__dirname, "../..");
const units = path.join(repository, "deploy/systemd");

for (const dropIn of [undefined, "namespaces.conf", "unprivileged.conf"]) {
  const title = `systemd finds nothing wrong with the unit${dropIn === undefined ? "" : ` and ${dropIn}`}`;
  testWith(["systemd"], title, async () => {
    const unit = readFileSync(path.join(units, "pidward.service"), "utf8");
    const own = mkdtempSync(path.join(folder, "unit-"));
    // It looks for the program, which is not installed here.
    const file = path.join(own, "pidward.service");
    writeFileSync(file, unit.replace("/usr/bin/pidward", process.execPath));
    if (dropIn !== undefined) {
      mkdirSync(`${file}.d`);
      copyFileSync(path.join(units, dropIn), path.join(`${file}.d`, dropIn));
    }
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], {
      encoding: "utf8",
    });
    const about = stderr.split("\n").filter((line) => /pidward|\.conf/.test(line));
    expect({ status, about }).toEqual({ status: 0, about: [] });
  });
}

testWith(["systemd"], "the unit exposes no more than the README says", async () => {
  const said = /exposure level for pidward.service: (\d+\.\d)/.exec(
    readFileSync(path.join(repository, "README.md"), "utf8"),
  );
  const { status, stdout, stderr } = spawnSync(
    "systemd-analyze",
    [
      "security",
      "--offline=true",
      "--no-pager",
      // In tenths.
      `--threshold=${Math.round(Number(said?.[1]) * 10)}`,
      path.join(units, "pidward.service"),
    ],
    { encoding: "utf8" },
  );
  expect({ status, stderr, stdout: status === 0 ? "" : stdout }).toEqual({
    status: 0,
    stderr: "",
    stdout: "",
  });
});
