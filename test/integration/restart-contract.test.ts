import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { TestAgent } from "../support/agent.ts";
import { EngineProxy } from "../support/engine-proxy.ts";
import { Lanes } from "../support/lanes.ts";
import { makeManagersImage, makeSystemdImage } from "../support/manager-images.ts";
import { hasParts } from "../support/parts.ts";
import { type RestartRow, restartRows } from "../support/restart-rows.ts";
import { livesIn, RestartScene } from "../support/restart-scene.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const allowed = "--control.allow-namespaces";
const { agent, containers } = useEngine([allowed]);
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-restarts-"));
/** Knows all that the other does, and then loses the engine. */
const cutOff = new TestAgent();
const proxy = new EngineProxy(process.env.PIDWARD_TEST_ENGINE ?? "", scratch);
const scenes = new Map<RestartRow, RestartScene>();

beforeAll(async () => {
  const able = restartRows.filter(({ needs }) => hasParts(...needs));
  if (able.some(({ needs }) => needs.length > 2)) await makeManagersImage(containers.docker);
  if (hasParts("docker", "busybox", "systemd")) await makeSystemdImage(containers.docker);
  await Promise.all(
    able.map(async (row) =>
      scenes.set(row, await RestartScene.begin(row, path.join(scratch, row.driver), agent, containers)),
    ),
  );
}, 180_000);

const lanes = new Lanes();

afterAll(async () => {
  await cutOff.remove();
  await proxy.stop();
  await containers.removeAll();
  rmSync(scratch, { recursive: true, force: true });
}, 60_000);

/** One behaviour, which every driver has. */
function behaviour(
  titleOf: string | ((row: RestartRow) => string),
  run: (scene: RestartScene, row: RestartRow) => Promise<void>,
): void {
  for (const row of restartRows) {
    const title = typeof titleOf === "string" ? titleOf : titleOf(row);
    lanes.test(row.driver, row.needs, `${row.driver}: ${title}`, async () => {
      const scene = scenes.get(row);
      if (scene === undefined) throw new Error(`no container for ${row.driver}`);
      await run(scene, row);
    });
  }
}

behaviour("a dry run gives the plan and changes nothing", async (scene, row) => {
  const before = await scene.look();
  const dry = await scene.restarted({ dryRun: true });
  expect(dry).toMatchObject({ driver: row.driver, dryRun: true, old: [before.main.ref], new: [] });
  expect(dry.plan).toContain(scene.container.name);
  expect(await scene.programRefs()).toEqual([before.main.ref, ...before.neighbours].sort());
  expect(scene.audit()).toEqual([]);
});

behaviour(
  ({ neighbours }) =>
    `the right process is restarted and lives, ${neighbours === "stay" ? "the others stay" : "all others are new"}`,
  async (scene, row) => {
    const before = await scene.look();
    const answer = await scene.restarted();
    expect(answer).toMatchObject({ driver: row.driver, dryRun: false, old: [before.main.ref] });
    const after = await scene.look();
    expect(answer.new).toEqual([after.main.ref]);
    expect(after.main.ref).not.toBe(before.main.ref);
    expect(after.main).toMatchObject({
      program: before.main.program,
      container: { id: scene.container.id },
    });
    expect(livesIn(after.main.ref, scene.container.id)).toBe(true);
    expect(livesIn(before.main.ref, scene.container.id)).toBe(false);
    const stayed = after.neighbours.filter((ref) => before.neighbours.includes(ref));
    expect(stayed).toEqual(row.neighbours === "stay" ? before.neighbours : []);
  },
);

behaviour("an unknown program is not found, and a like one is suggested", async (scene) => {
  const before = await scene.programRefs();
  expect(await agent.cli("restart", `${scene.selector}x`)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(scene.selector),
  });
  expect(await scene.programRefs()).toEqual(before);
});

behaviour("a program that dies at once is a failure that says what runs now", async (scene, row) => {
  const before = await scene.look();
  scene.set("die");
  const asked = row.isLast === true ? [`--driver=${row.driver}`] : [];
  const failed = await agent.cli("restart", scene.selector, "--settle=1s", ...asked);
  expect(failed).toMatchObject({ code: 6, stderr: expect.stringContaining(`by ${row.driver} failed`) });
  if (row.neighbours === "new") expect(failed.stderr).toMatch(/nothing runs in \S+ now/);
  else for (const ref of before.neighbours) expect(failed.stderr).toContain(ref);
  expect(scene.audit().at(-1)).toMatchObject({ phase: "outcome", outcome: "failed" });
  await scene.recover();
});

behaviour("a program that takes long to stop is waited for", async (scene, row) => {
  const before = await scene.look();
  scene.set("hold");
  const letGo = async (): Promise<void> => {
    await waitFor("TERM to arrive", () => scene.has("stopping"));
    scene.clear("hold");
  };
  const [answer] = await Promise.all([scene.restarted(), letGo()]);
  expect(answer).toMatchObject({ driver: row.driver, old: [before.main.ref] });
  expect(answer.new).toEqual([(await scene.look()).main.ref]);
});

behaviour("a program that ignores TERM is killed after the grace", async (scene, row) => {
  scene.set("deaf");
  const answer = await scene.restarted();
  scene.clear("deaf");
  expect(answer.driver).toBe(row.driver);
  expect(livesIn(answer.old[0] ?? "", scene.container.id)).toBe(false);
  expect(answer.new).toEqual([(await scene.look()).main.ref]);
});

const loseEngine = async (): Promise<void> => {
  await proxy.start();
  await cutOff.start({ engine: proxy.socket, args: ["--scan.interval=200ms", allowed] });
  await waitFor("the engine's word", async () => (await cutOff.get("/readyz")).json.runtimes[0].available);
  await proxy.stop();
  await waitFor("the engine to be missed", async () => {
    const { json } = await cutOff.get("/readyz");
    return json.runtimes[0].available === false;
  });
};
/** Lost when every row has come so far: what the agent remembers of a container is true then. */
const waiting = new Set(restartRows.filter(({ needs }) => hasParts(...needs)));
let engineLost: () => void = () => {};
const lost = new Promise<void>((resolve) => {
  engineLost = resolve;
}).then(loseEngine);

behaviour(
  ({ withoutEngine }) =>
    `without the engine ${withoutEngine === "works" ? "nothing is missed" : "it is said, and nothing is touched"}`,
  async (scene, row) => {
    waiting.delete(row);
    if (waiting.size === 0) engineLost();
    await lost;
    const { main, neighbours } = await scene.look();
    // Else the next driver would do it.
    const asked = row.withoutEngine === "refuses" ? [`--driver=${row.driver}`] : [];
    const result = await cutOff.cli("restart", scene.selector, "--settle=1s", ...asked);
    if (row.withoutEngine === "works") {
      expect(result).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(`(driver ${row.driver})`),
      });
      return;
    }
    // systemd is asked before there is a plan: that it does not answer is its failure.
    expect(result).toMatchObject({
      code: row.driver === "systemd" ? 6 : 7,
      stderr: expect.stringContaining("Docker Engine at"),
    });
    expect(await scene.programRefs()).toEqual([main.ref, ...neighbours].sort());
  },
);

behaviour(
  ({ manager }) =>
    manager === null
      ? "a manager is asked for that is not there: it is said, and nothing is started"
      : `when ${manager.what} is gone it is said, and nothing is started`,
  async (scene, row) => {
    const { manager } = row;
    const { main } = await scene.look();
    await manager?.lose(scene.container);
    if (manager?.takesContainer === true) await scene.hasEnded();
    const driver = manager === null ? "s6" : row.driver;
    for (const selector of [scene.selector, main.ref]) {
      const before = await scene.programRefs();
      const { code, stderr } = await agent.cli("restart", selector, `--driver=${driver}`);
      expect({ code, stderr }).toEqual({
        code: expect.any(Number),
        stderr: expect.stringMatching(
          manager?.says ?? /s6: (no s6 runs in|the target is the whole container)/,
        ),
      });
      expect([3, 4, 5, 6, 7]).toContain(code);
      expect(before).toEqual(expect.arrayContaining([...(await scene.programRefs())]));
    }
  },
);
