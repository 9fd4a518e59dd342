import { afterAll, beforeAll } from "@jest/globals";
import { TestAgent } from "./agent.ts";
import { TestContainers } from "./containers.ts";
import { hasParts } from "./parts.ts";

/** An agent that watches the tests' shared engine, and containers in it; both end with the test file. */
export function useEngine(args: readonly string[] = []): {
  readonly agent: TestAgent;
  readonly containers: TestContainers;
} {
  const agent = new TestAgent();
  const containers = new TestContainers();
  beforeAll(async () => {
    if (!hasParts("docker", "busybox")) return;
    await agent.start({
      engine: process.env.PIDWARD_TEST_ENGINE ?? "",
      args: ["--scan.interval=200ms", ...args],
    });
  }, 60_000);
  afterAll(async () => {
    await containers.removeAll();
    await agent.remove();
  }, 60_000);
  return { agent, containers };
}
