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
    render: async (snapshot, format) => {
      state.rendered.push(format);
      return [createPiece("taken "), createPiece(String(snapshot.takenAt))];
    },
    monotonicMs: () => state.now,
  });
  return { state, cache };
}

test("a body is rendered once for a snapshot, whatever the encoding, and anew for the next", async () => {
  const { state, cache } = makeCache();
  expect(cache.body("text", "gzip")).toBeUndefined();
  state.snapshot = healthyScene();
  const [plain, again, packed] = await Promise.all([
    cache.body("text", "identity"),
    cache.body("text", "identity"),
    cache.body("text", "gzip"),
  ]);
  expect(again).toBe(plain);
  expect(packed && zlib.gunzipSync(packed).toString()).toBe(plain?.toString());
  expect(state.rendered).toEqual(["text"]);
  state.snapshot = { ...healthyScene(), takenAt: 5 };
  expect((await cache.body("text", "identity"))?.toString()).toBe("taken 5");
  expect(state.rendered).toEqual(["text", "text"]);
});

test("what was asked for of late is ready before it is asked for again, and given up when nobody comes", async () => {
  const { state, cache } = makeCache();
  state.snapshot = healthyScene();
  await cache.body("openmetrics", "gzip");
  state.snapshot = healthyScene();
  await cache.warm();
  expect(state.rendered).toEqual(["openmetrics", "openmetrics"]);
  await cache.body("openmetrics", "gzip");
  expect(state.rendered).toHaveLength(2);
  state.now = 6 * 60_000;
  state.snapshot = healthyScene();
  await cache.warm();
  expect(state.rendered).toHaveLength(2);
});
