import { spawnSync } from "node:child_process";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import type { CliResult } from "./agent.ts";

export const agentImage = "pidward:local";
const repository = path.join(__dirname, "../..");

/** Makes the agent's image as a user does, in the tests' engine. @throws Error with the script's words */
export function buildAgentImage(): void {
  const env = { ...process.env, DOCKER_HOST: `unix://${process.env.PIDWARD_TEST_ENGINE}` };
  const { status, stderr, stdout } = spawnSync(path.join(repository, "deploy/build-image"), [], {
    cwd: repository,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`deploy/build-image ended with ${status}: ${stderr}${stdout}`);
}

/** Runs a command in a container and waits for its end, as `docker exec` does. */
export async function runIn(docker: Docker, container: string, argv: readonly string[]): Promise<CliResult> {
  const exec = await docker
    .getContainer(container)
    .exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: false });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.once("end", () => {
    stdout.end();
    stderr.end();
  });
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  return { code: (await exec.inspect()).ExitCode ?? -1, stdout: out, stderr: err };
}
