import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import type { CliResult } from "./agent.ts";

/** Runs a command in a container and waits for its end, as `docker exec` does. */
export async function runIn(
  docker: Docker,
  container: string,
  argv: readonly string[],
  user?: string,
): Promise<CliResult> {
  const exec = await docker.getContainer(container).exec({
    Cmd: [...argv],
    ...(user === undefined ? {} : { User: user }),
    AttachStdout: true,
    AttachStderr: true,
  });
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
