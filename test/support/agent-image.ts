import { spawnSync } from "node:child_process";
import path from "node:path";

export const agentImage = "pidward:local";
const repository = path.join(__dirname, "../..");

/**
 * Makes the agent's image as a user does.
 * @param socket of the engine, the tests' own unless another is given
 * @throws Error with the script's words
 */
export function buildAgentImage(socket = process.env.PIDWARD_TEST_ENGINE): void {
  const env = { ...process.env, DOCKER_HOST: `unix://${socket}` };
  const { status, stderr, stdout } = spawnSync(path.join(repository, "deploy/build-image"), [], {
    cwd: repository,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`deploy/build-image ended with ${status}: ${stderr}${stdout}`);
}
