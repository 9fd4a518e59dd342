import { expect, test } from "@jest/globals";
import { createCollectorGroup } from "../../agent/metrics/collector-group.ts";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import type { Container, Snapshot } from "../../agent/model.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";

const family = { name: "container_x", type: "gauge", help: "X.", labels: [] } as const;

test("one collection at a time: who asks while it is under way shares it, who asks after it has a new one", async () => {
  const collections: { readonly snapshot: Snapshot; readonly end: () => void }[] = [];
  const group = createCollectorGroup({
    refreshMs: 0,
    group: "container",
    collectors: [
      {
        group: "container",
        name: "cpu",
        collect: (snapshot) =>
          new Promise((resolve) => {
            const value = collections.length + 1;
            const end = () => resolve([{ family, samples: [{ labels: "", value }] }]);
            collections.push({ snapshot, end });
          }),
      },
    ],
    maxSeries: () => 100,
    monotonicMs: () => 0,
    onFailure: () => {},
    onRendered: () => {},
  });
  const render = async (snapshot: Snapshot) => joinPieces(await group.render(snapshot, "text")).toString();
  const [first, second, third] = [makeSnapshot([]), makeSnapshot([]), makeSnapshot([])];
  const texts = [render(first), render(second), render(first)];
  expect(collections.map(({ snapshot }) => snapshot)).toEqual([first]);
  collections[0]?.end();
  for (const text of await Promise.all(texts)) expect(text).toContain("container_x 1\n");
  const next = render(third);
  expect(collections).toHaveLength(2);
  collections[1]?.end();
  expect(await next).toContain("container_x 2\n");
  expect(await render(third)).toContain("container_x 2\n");
});

test("what was collected a moment ago is shown again while the containers are the same", async () => {
  let now = 0;
  let collected = 0;
  const group = createCollectorGroup({
    refreshMs: 5_000,
    group: "node",
    collectors: [
      {
        group: "node",
        name: "cpu",
        collect: () => [{ family, samples: [{ labels: "", value: ++collected }] }],
      },
    ],
    maxSeries: () => 100,
    monotonicMs: () => now,
    onFailure: () => {},
    onRendered: () => {},
  });
  const web = makeContainer("web", { initPid: 10 });
  const scene = (...containers: Container[]) => makeSnapshot([{ pid: 10, name: "init" }], containers);
  await group.render(scene(web), "text");
  now = 4_900;
  await group.render(scene(web), "text");
  await group.render(scene(web), "openmetrics");
  expect(collected).toBe(1);
  await group.render(scene({ ...web, state: "exited", initPid: null }), "text");
  expect(collected).toBe(2);
  now += 5_000;
  await group.render(scene({ ...web, state: "exited", initPid: null }), "text");
  expect(collected).toBe(3);
});
