import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { makeManagersImage, managersImage } from "../support/manager-images.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

// Links in a container's file system that lead to the host: what is behind them there is neither read nor spoken to.

const { agent, containers } = useEngine();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-links-"));
chmodSync(scratch, 0o755);
afterEach(() => containers.removeAll());
afterAll(() => rmSync(scratch, { recursive: true }));

testWith(
  ["docker", "busybox", "python", "supervisor", "s6", "runit", "tini"],
  "a supervisord whose configuration or socket is a link to the host's is looked for inside its container only",
  async () => {
    await makeManagersImage(containers.docker);
    const host = path.join(scratch, "host.sock");
    let connections = 0;
    const server = net.createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(host, resolve));
    const canary = "canary-of-the-host";
    const section = (file: string): string =>
      `[unix_http_server]\nfile=${file}\n[supervisord]\nidentifier=${canary}\n`;
    writeFileSync(path.join(scratch, "host.conf"), section(host));
    const up = "../".repeat(20);
    const plants = {
      "an absolute link as its configuration": `os.symlink("${scratch}/host.conf", "/etc/supervisord.conf")`,
      "a link upwards as its configuration": `os.symlink("${up}${scratch.slice(1)}/host.conf", "/etc/supervisord.conf")`,
      "an absolute link as its socket": `conf("/run/s.sock"); os.symlink("${host}", "/run/s.sock")`,
      "a link upwards as its socket": `conf("/run/s.sock"); os.symlink("${up}${host.slice(1)}", "/run/s.sock")`,
      "a folder that is a link": `conf("/run/d/host.sock"); os.symlink("${scratch}", "/run/d")`,
      "the root of another process": `conf("/run/s.sock"); os.symlink("/proc/1/root${host}", "/run/s.sock")`,
    };
    try {
      for (const [kind, plant] of Object.entries(plants)) {
        const folder = mkdtempSync(path.join(scratch, "app-"));
        chmodSync(folder, 0o755);
        const program = `
import ctypes, os, time
def conf(file): open("/etc/supervisord.conf", "w").write("[unix_http_server]\\nfile=%s\\n[supervisord]\\n" % file)
os.makedirs("/run", exist_ok=True)
${plant}
ctypes.CDLL(None).prctl(15, b"supervisord", 0, 0, 0)
if os.fork() == 0: os.execv("/bin/sleep", ["sleep", "100001"])
time.sleep(100000)
`;
        writeFileSync(path.join(folder, "main.py"), program);
        const { name } = await containers.run({
          image: managersImage,
          argv: ["/usr/bin/python3", "/app/main.py"],
          env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
          host: { Binds: [`${folder}:/app`] },
        });
        const target: ProcessRecord = await waitFor(`the program beside ${kind}`, async () => {
          const { json } = await agent.get(`/api/v1/processes?container=${name}`);
          return json.processes?.find((one: ProcessRecord) => one.command?.[1] === "100001");
        });
        const { status, text } = await agent.post("/api/v1/restart", {
          selector: target.ref,
          driver: "supervisord",
        });
        expect([kind, status >= 400, connections]).toEqual([kind, true, 0]);
        expect(text).not.toContain(canary);
        expect((await agent.get(`/api/v1/processes/${target.ref}`)).status).toBe(200);
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  },
  180_000,
);
