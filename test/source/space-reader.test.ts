import { statfsSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { createSpaceReader } from "../../agent/source/host/space-reader.ts";
import { type Space, type SpaceWorker, startSpaceWorker } from "../../agent/source/host/space-worker.ts";

const room: Space = { sizeBytes: 4, freeBytes: 3, availableBytes: 2, files: 1, freeFiles: 0 };

/** Workers that answer when they are told to. */
class Workers {
  started = 0;
  closed = 0;
  readonly asked: { readonly path: string; readonly answer: (space: Space | undefined) => void }[] = [];
  /** Paths that are answered at once. */
  readonly quick = new Set<string>();
  /** How long a thread takes to begin; undefined: it has begun. */
  startMs: number | undefined;

  readonly start = (): SpaceWorker => {
    this.started++;
    return {
      ask: (path, answer, began) => {
        const begin = (): void => {
          began();
          if (this.quick.has(path)) answer(room);
          else this.asked.push({ path, answer });
        };
        if (this.startMs === undefined) begin();
        else setTimeout(begin, this.startMs);
      },
      close: () => {
        this.closed++;
      },
    };
  };
}

test("a mount that does not answer is stuck until it does, and the others are read by another worker", async () => {
  const workers = new Workers();
  workers.quick.add("/");
  const reader = createSpaceReader({ start: workers.start, limitMs: 1, mostStuck: 2 });
  expect(await reader.read("/")).toBe(room);
  expect(await reader.read("/dead")).toBe("stuck");
  expect(await reader.read("/dead")).toBe("stuck");
  expect(workers.asked).toHaveLength(1);
  expect(await reader.read("/")).toBe(room);
  expect(workers.started).toBe(2);
  workers.asked[0]?.answer(undefined);
  workers.quick.add("/dead");
  expect(await reader.read("/dead")).toBe(room);
  // The one that was stuck is not needed any more.
  expect(workers).toMatchObject({ started: 2, closed: 1 });
});

test("the time that a thread takes to begin is not the mount's", async () => {
  const workers = new Workers();
  workers.startMs = 50;
  workers.quick.add("/");
  const reader = createSpaceReader({ start: workers.start, limitMs: 1, mostStuck: 2 });
  expect(await reader.read("/")).toBe(room);
  expect(await reader.read("/dead")).toBe("stuck");
});

test("so many may be stuck: then no more workers are started", async () => {
  const workers = new Workers();
  const reader = createSpaceReader({ start: workers.start, limitMs: 1, mostStuck: 2 });
  for (const path of ["/a", "/b", "/c", "/d"]) expect(await reader.read(path)).toBe("stuck");
  expect(workers.started).toBe(2);
  workers.asked[0]?.answer(room);
  workers.quick.add("/c");
  expect(await reader.read("/c")).toBe(room);
  expect(workers.started).toBe(2);
});

test("a real worker gives what statfs(2) gives, and tells of a path that is not there", async () => {
  const worker = startSpaceWorker();
  const reader = createSpaceReader({ start: () => worker, limitMs: 30_000, mostStuck: 1 });
  try {
    const { bsize, blocks, files } = statfsSync("/");
    expect(await reader.read("/")).toMatchObject({ sizeBytes: bsize * blocks, files });
    expect(await reader.read("/no such folder")).toBe("failed");
    expect(await reader.read("/")).toMatchObject({ files });
  } finally {
    worker.close();
  }
});
