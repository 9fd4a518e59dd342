import { expect, test } from "@jest/globals";
import { within } from "../../agent/control/within.ts";

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("what settles in time is given, what does not is undefined", async () => {
  expect(await within(Promise.resolve(7), 60_000)).toBe(7);
  await expect(within(Promise.reject(new Error("broken")), 60_000)).rejects.toThrow("broken");
  expect(await within(new Promise(() => {}), 10)).toBeUndefined();
});

test("no timer is left behind", async () => {
  const before = timers();
  for (let round = 0; round < 50; round++) await within(Promise.resolve(7), 60_000);
  // The runner has a few timers of its own, which come and go.
  expect(timers()).toBeLessThan(before + 25);
});
