import { statfsSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { createSpaceReader, type Space } from "../../agent/source/host/space-reader.ts";

const room: Space = { sizeBytes: 4, freeBytes: 3, availableBytes: 2, files: 1, freeFiles: 0 };

/** File systems that answer at once, or when they are told to. */
class FileSystems {
  readonly asked: { readonly path: string; readonly answer: (space: Space | Error) => void }[] = [];
  readonly quick = new Set<string>();

  readonly ask = (path: string): Promise<Space> =>
    new Promise((resolve, reject) => {
      const answer = (space: Space | Error): void =>
        space instanceof Error ? reject(space) : resolve(space);
      this.asked.push({ path, answer });
      if (this.quick.has(path)) answer(room);
    });

  /** How often it was asked. */
  count(path: string): number {
    return this.asked.filter((one) => one.path === path).length;
  }
}

const systemError = (): Error => Object.assign(new Error("EIO"), { code: "EIO" });

test("a mount that does not answer is stuck until it does, at no cost, and the others are read", async () => {
  const systems = new FileSystems();
  systems.quick.add("/");
  const reader = createSpaceReader({ limitMs: 1, mostStuck: 2, ask: systems.ask });
  expect(await reader.read("/")).toBe(room);
  expect(await reader.read("/dead")).toBe("stuck");
  expect(await reader.read("/dead")).toBe("stuck");
  expect(systems.count("/dead")).toBe(1);
  expect(await reader.read("/")).toBe(room);
  systems.asked.find(({ path }) => path === "/dead")?.answer(systemError());
  systems.quick.add("/dead");
  await Promise.resolve();
  expect(await reader.read("/dead")).toBe(room);
});

test("who asks for what is being asked for gets the same answer", async () => {
  const systems = new FileSystems();
  const reader = createSpaceReader({ limitMs: 1, mostStuck: 2, ask: systems.ask });
  expect(await Promise.all([reader.read("/dead"), reader.read("/dead")])).toEqual(["stuck", "stuck"]);
  expect(systems.count("/dead")).toBe(1);
});

test("so many may be stuck: then nothing more is asked until one of them answers", async () => {
  const systems = new FileSystems();
  const reader = createSpaceReader({ limitMs: 1, mostStuck: 2, ask: systems.ask });
  for (const path of ["/a", "/b", "/c", "/d"]) expect(await reader.read(path)).toBe("stuck");
  expect(systems.asked.map(({ path }) => path)).toEqual(["/a", "/b"]);
  systems.asked[0]?.answer(room);
  systems.quick.add("/c");
  await Promise.resolve();
  expect(await reader.read("/c")).toBe(room);
});

test("an error of the kernel is told as such, and one of the program's own is not hidden", async () => {
  const systems = new FileSystems();
  const reader = createSpaceReader({ limitMs: 30_000, mostStuck: 2, ask: systems.ask });
  const [failing, wrong] = [reader.read("/failing"), reader.read("/wrong")];
  systems.asked[0]?.answer(systemError());
  systems.asked[1]?.answer(new TypeError("a fault"));
  expect(await failing).toBe("failed");
  await expect(wrong).rejects.toThrow("a fault");
});

test("the kernel gives what statfs(2) gives, and tells of a path that is not there", async () => {
  const reader = createSpaceReader({ limitMs: 30_000, mostStuck: 1 });
  const { bsize, blocks, files } = statfsSync("/");
  expect(await reader.read("/")).toMatchObject({ sizeBytes: bsize * blocks, files });
  expect(await reader.read("/no such folder")).toBe("failed");
});
