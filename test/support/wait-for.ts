import { setTimeout as delay } from "node:timers/promises";

/** How many times as long everything takes: more than 1 on an emulated CPU (test/kernels/). */
const slowness = Number(process.env.PIDWARD_TEST_SLOWNESS ?? 1);

/** A limit of time that holds on this machine, from one that holds on a real CPU. */
export function patience(limit: number): number {
  return limit * slowness;
}

/**
 * Looks again and again until a value is there.
 * @throws Error that says what was waited for
 */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  usualLimitMs = 60_000,
): Promise<T> {
  const limitMs = patience(usualLimitMs);
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await delay(25);
  }
}
