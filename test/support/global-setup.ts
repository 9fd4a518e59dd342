import { startEngine, type TestEngine } from "./engine.ts";
import { makeImages } from "./images.ts";
import { hasParts } from "./parts.ts";

declare global {
  var pidwardEngine: TestEngine | undefined;
}

/** Starts the engine that all integration tests share, with its images. */
export default async function globalSetup(): Promise<void> {
  if (!hasParts("docker", "busybox")) return;
  const engine = await startEngine();
  globalThis.pidwardEngine = engine;
  await makeImages(engine.docker);
  process.env.PIDWARD_TEST_ENGINE = engine.socket;
}
