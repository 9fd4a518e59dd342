import { AgentError } from "../errors.ts";
import { type Container, containerLabel } from "../model.ts";

/** What has happened to a container while something was done in it. */
export interface ContainerChange {
  readonly kind: "removed" | "paused" | "ended" | "restarted";
  /** One clause for people: `container web was paused meanwhile: …`. */
  readonly text: string;
}

export interface ContainerChangeParts {
  readonly inspect: (container: Container) => Promise<Container | undefined>;
}

/** @param now undefined: the runtime does not know it any more */
export function changeBetween(before: Container, now: Container | undefined): ContainerChange | undefined {
  const name = containerLabel(before);
  if (now === undefined) return { kind: "removed", text: `container ${name} was removed meanwhile` };
  switch (now.state) {
    case "paused":
      return {
        kind: "paused",
        text: `container ${name} was paused meanwhile: what was begun goes on when it is unpaused`,
      };
    case "exited":
    case "dead":
      return { kind: "ended", text: `container ${name} has ended meanwhile, with code ${now.exitCode}` };
    case "removing":
      return { kind: "removed", text: `container ${name} is being removed` };
    case "running":
    case "restarting":
      return now.initPid === before.initPid
        ? undefined
        : { kind: "restarted", text: `container ${name} was restarted meanwhile` };
    case "created":
    case "unknown":
      return undefined;
  }
}

/**
 * Asks the runtime now. Undefined: the container runs as it did, or no runtime knows it.
 * @throws AgentError `unavailable` when the runtime does not answer
 */
export async function changeOf(
  before: Container,
  parts: ContainerChangeParts,
): Promise<ContainerChange | undefined> {
  return before.known ? changeBetween(before, await parts.inspect(before)) : undefined;
}

/** As `changeOf`, for those who go on without an answer. */
export async function changeIfKnown(
  before: Container,
  parts: ContainerChangeParts,
): Promise<ContainerChange | undefined> {
  try {
    return await changeOf(before, parts);
  } catch (error) {
    if (error instanceof AgentError && error.code === "unavailable") return undefined;
    throw error;
  }
}

/** A wait that was given up because of what happened to the container. */
export class ContainerChanged extends AgentError {
  readonly change: ContainerChange;

  constructor(what: string, change: ContainerChange) {
    super("failed", `${what}: ${change.text}`);
    this.change = change;
  }
}
