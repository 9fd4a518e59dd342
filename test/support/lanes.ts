import { beforeAll } from "@jest/globals";
import type { Part } from "./parts.ts";
import { hasParts } from "./parts.ts";
import { testWith } from "./test-with.ts";

interface Step {
  readonly run: () => Promise<void>;
  readonly settle: (result: Promise<void>) => void;
}

/** Of one test, on a machine that has much else to do. */
const limitMs = 240_000;

/**
 * Tests that mostly wait: those of a lane run one after the other, the lanes side by side. All begin with the first test,
 * each waits for its own, and one that fails does not keep those behind it from running.
 */
export class Lanes {
  private readonly lanes = new Map<string, Step[]>();

  /** To be made after the file's own `beforeAll`, which it follows. */
  constructor() {
    beforeAll(() => {
      for (const steps of this.lanes.values()) void drive(steps);
    });
  }

  test(lane: string, needs: readonly Part[], title: string, run: () => Promise<void>): void {
    const ended = new Promise<void>((resolve) => {
      if (hasParts(...needs)) this.stepsOf(lane).push({ run, settle: resolve });
    });
    // It is awaited by its own test, which may come after its end.
    ended.catch(() => {});
    testWith(needs, title, () => ended, limitMs);
  }

  private stepsOf(lane: string): Step[] {
    const steps = this.lanes.get(lane) ?? [];
    this.lanes.set(lane, steps);
    return steps;
  }
}

async function drive(steps: readonly Step[]): Promise<void> {
  for (const { run, settle } of steps) {
    const result = run();
    settle(result);
    await result.catch(() => {});
  }
}
