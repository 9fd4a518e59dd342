import path from "node:path";
import { afterAll, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { FakeEngine } from "../containers/fake-engine.ts";
import { TestAgent } from "../support/agent.ts";
import { TestContainers } from "../support/containers.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { fatImage, makeImages } from "../support/images.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const agent = new TestAgent();
let engine: TestEngine | undefined;

afterAll(async () => {
  await agent.remove();
  await engine?.remove();
}, 60_000);

async function engineIs(available: boolean): Promise<void> {
  await waitFor(
    `/readyz to say ${available}`,
    async () => {
      const { json } = await agent.get("/readyz");
      return json.runtimes[0].available === available;
    },
    45_000,
  );
}

testWith(
  ["docker", "busybox"],
  "an engine that comes, goes and comes back changes nothing but names",
  async () => {
    engine = await startEngine();
    const { socket } = engine;
    await engine.stop();
    await agent.start({ engine: socket, args: ["--scan.interval=200ms"] });
    expect(agent.stderr).toContain("no container engine answers");
    expect((await agent.get("/readyz")).status).toBe(200);
    expect((await agent.get("/metrics")).text).toContain('pidward_runtime_up{runtime="docker"} 0');

    await engine.start();
    await makeImages(engine.docker);
    await engineIs(true);
    const containers = new TestContainers(socket);
    const web = await containers.run({
      argv: ["sh", "-c", "httpd -f -p 80 & while true; do sleep 1; done"],
      image: fatImage,
    });
    const httpd: ProcessRecord = await waitFor("httpd", async () => {
      const { json } = await agent.get(`/api/v1/processes?selector=${web.name}/httpd`);
      return json.processes?.[0];
    });
    expect(httpd.container?.name).toBe(web.name);

    await engine.stop();
    await engineIs(false);
    expect((await agent.get("/readyz")).status).toBe(200);
    const { status, json } = await agent.post("/api/v1/restart", { selector: web.name });
    expect({ status, code: json.code }).not.toMatchObject({ status: 200 });
    const doctor = await agent.cli("doctor");
    expect(doctor.stdout).toContain("source");

    await engine.start();
    await engineIs(true);
    const again = await containers.get(web.id).inspect();
    if (!again.State.Running) await containers.get(web.id).start();
    await waitFor("the container's return", async () => {
      const { json: back } = await agent.get(`/api/v1/containers/${web.name}`);
      return back.state === "running" && back.processes > 0;
    });
    await containers.removeAll();
  },
  300_000,
);

testWith([], "an engine that hangs holds up neither scans nor answers", async () => {
  const hanging = new FakeEngine();
  hanging.mode = "hangs";
  await hanging.start();
  const own = new TestAgent();
  try {
    await own.start({ engine: hanging.socket, args: ["--scan.interval=100ms"] });
    const first = (await own.get("/api/v1/processes?limit=1")).json.takenAt;
    await waitFor(
      "the next scan",
      async () => (await own.get("/api/v1/processes?limit=1")).json.takenAt !== first,
    );
    expect((await own.get("/readyz")).json.runtimes[0].reason).toContain("no answer");
    const self = await own.get(`/api/v1/processes/${process.pid}`);
    expect(self.json.restart.driver).toBeNull();
  } finally {
    await own.remove();
    await hanging.stop();
    hanging.remove();
  }
});

testWith([], "DOCKER_HOST says where the engine is, and the setting goes before it", async () => {
  const own = new TestAgent();
  const elsewhere = path.join(own.folder, "elsewhere.sock");
  const away = async (args: readonly string[]): Promise<string> => {
    await own.start({ args, engine: null, env: { DOCKER_HOST: `unix://${elsewhere}` } });
    const { json } = await own.get("/api/v1/host");
    await own.stop();
    return json.runtimes[0].endpoint;
  };
  try {
    expect(await away([])).toBe(`unix://${elsewhere}`);
    expect(await away(["--docker.socket=/nowhere.sock"])).toBe("unix:///nowhere.sock");
  } finally {
    await own.remove();
  }
});
