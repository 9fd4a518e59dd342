import { test } from "@jest/globals";
import { missing, type Part } from "./parts.ts";

/** A test that needs real parts. Where one cannot be had, the test is skipped and its title says why. */
export function testWith(
  needs: readonly Part[],
  title: string,
  run: () => Promise<void>,
  limitMs = 240_000,
): void {
  const reason = missing(needs);
  if (reason === undefined) test(title, run, limitMs);
  else test.skip(`${title} [not run: ${reason}]`, () => {});
}
