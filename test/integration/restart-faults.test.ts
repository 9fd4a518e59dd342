import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { DriverName } from "../../agent/api.ts";
import { type Answer, TestAgent } from "../support/agent.ts";
import { EngineProxy } from "../support/engine-proxy.ts";
import { Lanes } from "../support/lanes.ts";
import { makeManagersImage } from "../support/manager-images.ts";
import { hasParts } from "../support/parts.ts";
import { restartRows } from "../support/restart-rows.ts";
import { livesIn, RestartScene } from "../support/restart-scene.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-faults-"));
const needs = ["docker", "busybox", "supervisor", "s6", "tini"] as const;
/** Its socket to the engine can stop answering. */
const doubtful = new TestAgent();
const proxy = new EngineProxy(process.env.PIDWARD_TEST_ENGINE ?? "", doubtful.folder);
/** It is ended in the middle of what it does. */
const mortal = new TestAgent();
const quick = ["--scan.interval=200ms"];

beforeAll(async () => {
  if (!hasParts(...needs)) return;
  await makeManagersImage(containers.docker);
  await proxy.start();
  await doubtful.start({ engine: proxy.socket, args: quick });
  await startMortal();
}, 120_000);

const startMortal = (): Promise<void> =>
  mortal.start({ engine: process.env.PIDWARD_TEST_ENGINE ?? "", args: quick });

const lanes = new Lanes();

afterAll(async () => {
  await doubtful.remove();
  await proxy.stop();
  await mortal.remove();
  await containers.removeAll();
  rmSync(scratch, { recursive: true, force: true });
}, 60_000);

let folders = 0;

async function withScene(
  driver: DriverName,
  by: TestAgent,
  use: (scene: RestartScene) => Promise<void>,
): Promise<void> {
  const row = restartRows.find((one) => one.driver === driver);
  if (row === undefined) throw new Error(`no row for ${driver}`);
  const scene = await RestartScene.begin(row, path.join(scratch, String(folders++)), by, containers);
  try {
    await use(scene);
  } finally {
    await scene.remove();
  }
}

/** A restart that is under way, at a moment that lasts. */
interface UnderWay {
  readonly answer: Promise<Answer>;
  /** The main process: the old one, or the new one. */
  readonly ref: string;
}

const moments = {
  /** The old process has got TERM and takes its time. */
  stopping: async (scene: RestartScene, more: Readonly<Record<string, unknown>> = {}): Promise<UnderWay> => {
    const { main } = await scene.look();
    scene.set("hold");
    const answer = scene.restart(more);
    const early = answer.then(({ json }) => {
      throw new Error(`it did not come to the stop: ${JSON.stringify(json)}`);
    });
    await Promise.race([waitFor("TERM to arrive", () => scene.has("stopping")), early]);
    early.catch(() => {});
    return { answer, ref: main.ref };
  },
  /** The new process is there, and has to live for a while. */
  settling: async (scene: RestartScene): Promise<UnderWay> => {
    const { main } = await scene.look();
    const answer = scene.restart({ settleSeconds: 60 });
    const ref = await waitFor("the new process", async () => {
      const now = await scene.look();
      return now.main.ref !== main.ref && now.main.ref;
    });
    return { answer, ref };
  },
} as const;

const faults = {
  /** Again and again: a cgroup of v1 whose processes fork is not frozen at the first attempt. */
  paused: (scene: RestartScene) =>
    waitFor("the pause", async () => {
      const container = containers.get(scene.container.id);
      await container.pause().catch(() => undefined);
      return (await container.inspect()).State.Paused;
    }),
  stopped: (scene: RestartScene) => containers.get(scene.container.id).stop({ t: 0 }),
  removed: (scene: RestartScene) => containers.get(scene.container.id).remove({ force: true }),
} as const;

const paused = /container \S+ was paused meanwhile: .*; frozen in \S+ now: \d+@\d+ /;
/** On a busy machine the answer can come while the container's processes are still being ended. */
const dying = /; running in \S+ now: \d+@\d+ /;
const ended = either(
  /(has ended meanwhile, with|did not stay up: it exited with) code \d+; nothing runs in \S+ now$/,
  dying,
);
const removed = either(
  /container \S+ (was removed meanwhile|is being removed); nothing runs in \S+ now$/,
  dying,
);

function either(...patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => `(${source})`).join("|"));
}

/** What is done to a container in the middle of a restart in it, and what is said of it. */
const cases: readonly (readonly [DriverName, keyof typeof moments, keyof typeof faults, RegExp])[] = [
  ["respawn", "stopping", "paused", paused],
  ["respawn", "stopping", "stopped", ended],
  ["respawn", "stopping", "removed", removed],
  ["respawn", "settling", "paused", paused],
  ["respawn", "settling", "stopped", ended],
  ["respawn", "settling", "removed", removed],
  ["supervisord", "stopping", "paused", paused],
  ["supervisord", "settling", "paused", paused],
  ["s6", "stopping", "paused", paused],
  ["s6", "stopping", "stopped", ended],
  ["container", "stopping", "removed", removed],
  ["container", "settling", "paused", paused],
  ["container", "settling", "stopped", ended],
  ["container", "settling", "removed", removed],
];

/** Side by side goes what mostly waits. */
function laneOf(driver: DriverName, moment: keyof typeof moments): string {
  return driver === "respawn" || driver === "container" ? `${driver} ${moment}` : driver;
}

for (const [driver, moment, fault, says] of cases) {
  const title = `${driver}: a container that is ${fault} while the program is ${moment}`;
  lanes.test(laneOf(driver, moment), needs, title, () =>
    withScene(driver, agent, async (scene) => {
      // A manager has a limit of its own for the stop: then the fault meets the new process, which has to live for long.
      const { answer } = await moments[moment](scene, { settleSeconds: 60 });
      await faults[fault](scene);
      const { status, json } = await answer;
      expect({ status, json }).toMatchObject({
        status: 502,
        json: { code: "failed", detail: expect.stringMatching(says) },
      });
      expect(scene.audit().at(-1)).toMatchObject({ phase: "outcome", outcome: "failed" });
    }),
  );
}

for (const fault of ["paused", "stopped"] as const) {
  const title = `container: one that is ${fault} while it is stopping comes back, or it is said why not`;
  lanes.test(laneOf("container", "stopping"), needs, title, () =>
    withScene("container", agent, async (scene) => {
      const { answer, ref } = await moments.stopping(scene);
      await faults[fault](scene);
      const { status, json } = await answer;
      if (status !== 200) {
        // Engines differ in whether they kill what is paused.
        expect(json).toMatchObject({ code: "failed", detail: expect.stringMatching(paused) });
        return;
      }
      expect(json.old).toEqual([ref]);
      scene.clear("hold");
      expect(json.new).toEqual([(await scene.look()).main.ref]);
    }),
  );
}

const endings = {
  respawn: /exited with code 8; running in/,
  // It can have ended before it is looked at.
  supervisord: /(ended within 60 s|shows no process of worker|it is (BACKOFF|EXITED|FATAL).*); running in/,
  container: /did not stay up: it exited with code 8; nothing runs in/,
} as const;

for (const driver of ["respawn", "supervisord", "container"] as const) {
  lanes.test(
    laneOf(driver, "settling"),
    needs,
    `${driver}: a new process that lives, but not for its settle time`,
    () =>
      withScene(driver, agent, async (scene) => {
        scene.set("brief");
        const { answer } = await moments.settling(scene);
        await waitFor("its beginning", () => scene.has("begun"));
        scene.clear("brief");
        const { status, json } = await answer;
        expect({ status, detail: json.detail }).toEqual({
          status: 502,
          detail: expect.stringMatching(endings[driver]),
        });
      }),
  );
}

lanes.test("busy", needs, "a second restart of the program meanwhile is refused, and told of", () =>
  withScene("respawn", agent, async (scene) => {
    const { answer, ref } = await moments.stopping(scene);
    const second = await scene.restart();
    expect(second).toMatchObject({
      status: 409,
      json: { code: "busy", detail: expect.stringContaining("already under way") },
    });
    const { json } = await agent.get(`/api/v1/processes/${ref}`);
    expect(json.restart).toMatchObject({ driver: null, plan: expect.stringContaining("is under way") });
    scene.clear("hold");
    expect((await answer).status).toBe(200);
    expect(scene.audit()).toHaveLength(2);
  }),
);

const hangs: readonly (readonly [string, (line: string) => boolean, RegExp])[] = [
  ["everything", () => true, /gave no answer to exec within 5 s; running in/],
  [
    "the start of the command",
    (line) => /\/exec\/\w+\/start/.test(line),
    /no answer to exec start within 5 s/,
  ],
  ["the question after it", (line) => /GET \/exec\/\w+\/json/.test(line), /no answer to exec inspect within/],
];

const isRestart = (line: string): boolean => /\/containers\/\w+\/restart/.test(line);

for (const [what, holds, says] of hangs) {
  const title = `an engine that hangs in the middle of a respawn: it does not answer ${what}`;
  lanes.test("hang", needs, title, () =>
    withScene("respawn", doubtful, async (scene) => {
      await proxy.untilHeld("the other restart", isRestart);
      const { answer } = await moments.stopping(scene);
      proxy.hold((line) => isRestart(line) || holds(line));
      scene.clear("hold");
      const { status, json } = await answer;
      proxy.hold(isRestart);
      expect({ status, json }).toMatchObject({
        status: 502,
        json: { code: "failed", detail: expect.stringMatching(says) },
      });
      if (what === "the question after it") expect(json.detail).toContain((await scene.look()).main.ref);
    }),
  );
}

lanes.test("hang container", needs, "an engine that hangs in a container's restart is given up", () =>
  withScene("container", doubtful, async (scene) => {
    const { main } = await scene.look();
    proxy.hold(isRestart);
    const { status, json } = await scene.restart();
    expect({ status, json }).toMatchObject({
      status: 502,
      json: {
        code: "failed",
        detail: expect.stringMatching(/no answer to restart within \d+ s; running in/),
      },
    });
    expect(json.detail).toContain(main.ref);
  }),
);

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  const title = `an agent that gets ${signal} in the middle leaves the programs alone, and the next one tells of it`;
  lanes.test("agent", needs, title, () =>
    withScene("respawn", mortal, async (scene) => {
      const { neighbours } = await scene.look();
      const { answer, ref } = await moments.settling(scene);
      const { pid } = mortal;
      process.kill(pid, signal);
      await expect(answer).rejects.toThrow();
      // Not for as long as the new process has to live.
      await waitFor("the agent's end", () => !existsSync(`/proc/${pid}`), 30_000);
      for (const one of [ref, ...neighbours]) expect(livesIn(one, scene.container.id)).toBe(true);
      await startMortal();
      expect(mortal.stderr).toContain("an act was under way when the agent ended");
      const { stdout } = await mortal.cli("audit", "--json", "--limit=1");
      expect(JSON.parse(stdout).records).toMatchObject([
        { phase: "unfinished", container: scene.container.id },
      ]);
      expect(scene.audit()).toMatchObject([
        { phase: "intent", how: "respawn" },
        { phase: "unfinished", how: "respawn" },
      ]);
    }),
  );
}
