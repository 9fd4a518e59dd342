import zlib from "node:zlib";
import { expect, test } from "@jest/globals";
import { createPiece } from "../../agent/metrics/pieces.ts";
import { createScrapeCache } from "../../agent/metrics/scrape-cache.ts";
import type { Snapshot } from "../../agent/model.ts";
import { healthyScene } from "./scenes.ts";

function makeCache() {
  const state = { snapshot: undefined as Snapshot | undefined, now: 0, rendered: [] as string[] };
  const cache = createScrapeCache({
    latest: () => state.snapshot,
    scanIntervalMs: 1_000,
    render: async (target, snapshot, format) => {
      state.rendered.push(target === "all" ? format : target);
      return [createPiece("taken "), createPiece(String(snapshot.takenAt))];
    },
    monotonicMs: () => state.now,
  });
  return { state, cache };
}

test("a body is rendered once for a snapshot, whatever the encoding, and anew for the next", async () => {
  const { state, cache } = makeCache();
  expect(cache.body("all", "text", "gzip")).toBeUndefined();
  state.snapshot = healthyScene();
  const [plain, again, packed] = await Promise.all([
    cache.body("all", "text", "identity"),
    cache.body("all", "text", "identity"),
    cache.body("all", "text", "gzip"),
  ]);
  expect(again).toBe(plain);
  expect(packed && zlib.gunzipSync(packed).toString()).toBe(plain?.toString());
  expect(state.rendered).toEqual(["text"]);
  state.snapshot = { ...healthyScene(), takenAt: 5 };
  expect((await cache.body("all", "text", "identity"))?.toString()).toBe("taken 5");
  expect(state.rendered).toEqual(["text", "text"]);
});

test("what was asked for of late is ready before it is asked for again, and given up when nobody comes", async () => {
  const { state, cache } = makeCache();
  state.snapshot = healthyScene();
  await cache.body("all", "openmetrics", "gzip");
  state.snapshot = healthyScene();
  await cache.warm();
  expect(state.rendered).toEqual(["openmetrics", "openmetrics"]);
  await cache.body("all", "openmetrics", "gzip");
  expect(state.rendered).toHaveLength(2);
  state.now = 6 * 60_000;
  state.snapshot = healthyScene();
  await cache.warm();
  expect(state.rendered).toHaveLength(2);
});

test("for one who comes every fifteen seconds a body is made when it is about time, not for each scan", async () => {
  const { state, cache } = makeCache();
  for (const now of [0, 15_000]) {
    Object.assign(state, { now, snapshot: healthyScene() });
    await cache.body("node", "text", "identity");
  }
  const made = state.rendered.length;
  for (state.now = 16_000; state.now < 26_000; state.now += 1_000) {
    state.snapshot = healthyScene();
    await cache.warm();
  }
  expect(state.rendered).toHaveLength(made);
  Object.assign(state, { now: 29_500, snapshot: healthyScene() });
  await cache.warm();
  expect(state.rendered).toHaveLength(made + 1);
  Object.assign(state, { now: 30_000 });
  await cache.body("node", "text", "identity");
  expect(state.rendered).toEqual(["node", "node", "node"]);
});

test("while a rendering is under way no other begins, however many scans come meanwhile", async () => {
  let running = 0;
  let most = 0;
  let goOn: () => void = () => {};
  let snapshot = healthyScene();
  const cache = createScrapeCache({
    latest: () => snapshot,
    scanIntervalMs: 1_000,
    render: async (_, { takenAt }) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      running--;
      return [createPiece(String(takenAt))];
    },
    monotonicMs: () => 0,
  });
  snapshot = { ...healthyScene(), takenAt: 1 };
  const first = cache.body("all", "text", "identity");
  snapshot = { ...healthyScene(), takenAt: 2 };
  const second = cache.body("all", "text", "gzip");
  goOn();
  expect((await first)?.toString()).toBe("1");
  expect(zlib.gunzipSync((await second) ?? Buffer.alloc(0)).toString()).toBe("1");
  expect(most).toBe(1);
  const third = cache.body("all", "text", "identity");
  goOn();
  expect((await third)?.toString()).toBe("2");
});

test("one who has missed its turn some times over is not waited for, and is served when it comes back", async () => {
  const { state, cache } = makeCache();
  for (const now of [0, 1_000]) {
    Object.assign(state, { now, snapshot: healthyScene() });
    await cache.body("all", "text", "identity");
  }
  const made: number[] = [];
  for (state.now = 2_000; state.now < 12_000; state.now += 1_000) {
    const before = state.rendered.length;
    state.snapshot = healthyScene();
    await cache.warm();
    if (state.rendered.length > before) made.push(state.now);
  }
  expect(made).toEqual([2_000, 3_000, 4_000, 5_000, 6_000]);
  await cache.body("all", "text", "identity");
  expect(state.rendered).toHaveLength(8);
});
