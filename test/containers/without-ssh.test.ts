import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";

const calls = path.join(__dirname, "../../dist/containers/docker-calls.js");

/** In a process of its own: jest has a registry of modules that is not Node's. */
function run(program: string): string {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["-e", `require(${JSON.stringify(calls)}); ${program}`],
    {
      encoding: "utf8",
    },
  );
  return stdout + stderr;
}

test("no SSH client is loaded with the client of the engine", () => {
  const loaded = run(
    "console.log(Object.keys(require.cache).map((file) => file.replace(/.*node_modules./, '')).join(' '))",
  );
  expect(loaded).toContain("docker-modem/lib/modem.js");
  expect(loaded).not.toMatch(/ssh2|cpu-features|asn1/);
});

test("an engine behind SSH is refused by name", () => {
  const asked = run(
    "const Modem = require('docker-modem'); new Modem({ protocol: 'ssh', host: 'h', username: 'u' }).dial({ path: '/', method: 'GET' }, () => {})",
  );
  expect(asked).toContain("an engine behind ssh:// cannot be asked");
});
