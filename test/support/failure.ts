import { AgentError } from "../../agent/errors.ts";

/** What a call fails with; anything but an AgentError goes on. @throws Error when it does not fail */
export async function failure(promise: Promise<unknown>): Promise<AgentError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
