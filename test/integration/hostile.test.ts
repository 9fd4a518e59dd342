import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { makeManagersImage, managersImage } from "../support/manager-images.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

// What a container's processes can do to those who look at them. None of it may be believed, shown raw or waited for.

const { agent, containers } = useEngine();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-hostile-"));
afterEach(() => containers.removeAll());
afterAll(() => rmSync(scratch, { recursive: true }));

const limitMs = 120_000;

function processesOf(container: string, least: number): Promise<readonly ProcessRecord[]> {
  return waitFor(`${least} processes of ${container}`, async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${container}`);
    const found: readonly ProcessRecord[] = json.processes ?? [];
    return found.length >= least && found.every(({ command }) => command !== null) ? found : undefined;
  });
}

/** Python of the managers' image, with a file of the test's as its program. */
async function runPython(program: string) {
  await makeManagersImage(containers.docker);
  const folder = mkdtempSync(path.join(scratch, "app-"));
  chmodSync(folder, 0o755);
  writeFileSync(path.join(folder, "supervisord"), program);
  return containers.run({
    image: managersImage,
    argv: ["/usr/bin/python3", "/app/supervisord"],
    env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
    host: { Binds: [`${folder}:/app`] },
  });
}

testWith(
  ["docker", "busybox", "python", "supervisor", "s6", "runit", "tini", "promtool"],
  "names and arguments of escapes, line breaks and quotes break neither the terminal nor the exposition",
  async () => {
    const evil = 'a"b\\\\c\\n} 1\\nevil_metric{x="\\x1b[2J';
    const program = `
import ctypes, os, time
libc = ctypes.CDLL(None)
names = [b"\\x1b[2J\\x1b]0;x\\x07", b'a"} 9\\nx 1', b"(x) R 1 1", b"\\xff\\xfe\\x80", b""]
for name in names:
    if os.fork() == 0:
        libc.prctl(15, name, 0, 0, 0)
        time.sleep(100000)
if os.fork() == 0:
    os.execv("/bin/sleep", ['${evil}', "100000"])
time.sleep(100000)
`;
    const { name } = await runPython(program);
    await processesOf(name, 7);
    await waitFor("the third to have its name", async () =>
      (await processesOf(name, 7)).some((one) => one.name === "(x) R 1 1"),
    );
    const { text } = await agent.get("/metrics");
    const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    // What it finds wrong with names of the originals is no error of parsing.
    expect(checked.stderr).not.toMatch(/error while linting|parsing/i);
    expect(text).not.toMatch(/^evil_metric/m);
    expect(text).not.toContain("\\u001b");
    for (const args of [["ps", name], ["containers"], ["events", "--no-follow", "--last=100"]]) {
      const { code, stdout } = await agent.cli(...args);
      expect(code).toBe(0);
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
  },
  limitMs,
);

testWith(
  ["docker", "busybox", "supervisor", "s6", "runit", "tini"],
  "a supervisord that lies is neither waited for nor believed: it never answers, answers without end, or names another's PID",
  async () => {
    const lies = {
      silent: "time.sleep(100000)",
      endless: `
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nContent-Length: 4000000000\\r\\n\\r\\n")
    while True: c.sendall(b"<a>" * 100000)`,
      liar: `
    c.recv(65536)
    member = lambda n, v: "<member><name>%s</name><value>%s</value></member>" % (n, v)
    text = lambda v: "<string>%s</string>" % v
    number = lambda v: "<int>%d</int>" % v
    fields = [("name", text("web")), ("group", text("web")), ("pid", number(1)), ("state", number(20)), ("statename", text("RUNNING")), ("spawnerr", text("")), ("exitstatus", number(0)), ("start", number(0)), ("stop", number(0)), ("now", number(0)), ("description", text("\\x1b[2J"))]
    body = "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><struct>" + "".join(member(*f) for f in fields) + "</struct></value></data></array></value></param></params></methodResponse>"
    c.sendall(("HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)).encode())
    c.close()`,
    };
    const started = await Promise.all(
      Object.entries(lies).map(async ([kind, answer]) => {
        const program = `
import ctypes, os, socket, threading, time
ctypes.CDLL(None).prctl(15, b"supervisord", 0, 0, 0)
os.makedirs("/run", exist_ok=True)
os.makedirs("/etc/supervisor", exist_ok=True)
open("/etc/supervisord.conf", "w").write("[unix_http_server]\\nfile=/run/supervisor.sock\\n[supervisord]\\n")
s = socket.socket(socket.AF_UNIX); s.bind("/run/supervisor.sock"); s.listen(50)
if os.fork() == 0:
    os.execv("/usr/bin/sleep" if os.path.exists("/usr/bin/sleep") else "/bin/sleep", ["sleep", "100001"])
def serve(c):
  try:
    ${answer.trim()}
  except OSError: pass
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
`;
        return { kind, container: await runPython(program) };
      }),
    );
    for (const { kind, container } of started) {
      const { before, sleeper } = await waitFor("its sleeper", async () => {
        const before = await processesOf(container.name, 2);
        const sleeper = before.find((one) => one.command?.[1] === "100001");
        return sleeper !== undefined && { before, sleeper };
      });
      const answer = await agent.post("/api/v1/restart", {
        selector: sleeper.ref,
        driver: "supervisord",
        settleSeconds: 0,
      });
      expect([kind, answer.status]).toEqual([kind, expect.any(Number)]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const after = await processesOf(container.name, 2);
      expect(after.map(({ ref }) => ref)).toEqual(before.map(({ ref }) => ref));
    }
    const { json } = await agent.get("/readyz");
    expect(json.ready).toBe(true);
    const shown = await agent.cli("containers");
    expect(shown.stdout).not.toContain("\u001b");
  },
  240_000,
);
