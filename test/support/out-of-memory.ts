import type Docker from "dockerode";
import { waitFor } from "./wait-for.ts";

/**
 * Waits until the engine says of a container that it ended of its memory limit, and starts it again when it has ended
 * without that: the engine's word of the kill and that of the end are on their way at the same time, and a container that
 * ends in its first moments has nobody yet who watches for the kill.
 * @throws Error when it never ends so, though it was started again and again
 */
export function outOfMemory(container: Docker.Container): Promise<Docker.ContainerInspectInfo["State"]> {
  return waitFor(
    "an end of the memory limit",
    async () => {
      const { State: state } = await container.inspect();
      if (state.OOMKilled && !state.Running) return state;
      if (!state.Running) await container.start();
      return undefined;
    },
    60_000,
  );
}
