import { ancestorRows } from "../ancestors.ts";
import { AgentError } from "../errors.ts";
import { type Container, containerLabel, formatRef, type Snapshot, type TargetProcess } from "../model.ts";

export interface MembershipParts {
  readonly agentPid: number;
  /** Asks the runtime now; undefined: it does not know the id. @throws AgentError `unavailable` */
  readonly inspect: (container: Container) => Promise<Container | undefined>;
  /** The namespace's name, `mnt:[4026532…]`; undefined when the process is gone. @throws AgentError when refused */
  readonly readNamespace: (pid: number, kind: "mnt" | "pid") => string | undefined;
  readonly log: { readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void };
}

/**
 * A cgroup path is a hint: a process can be moved into another cgroup. Before an act the runtime must know the
 * container, and the target, or what it descends from in there, must live in the container's namespaces.
 * An engine that does not answer is no reason to refuse what it has confirmed before.
 * @returns the reason in words why the target is not the container's; undefined: it is
 * @throws AgentError `unavailable` when namespaces cannot be compared for lack of rights
 */
export async function refuseStranger(
  target: TargetProcess,
  snapshot: Snapshot,
  parts: MembershipParts,
): Promise<string | undefined> {
  const { authority } = target;
  if (authority === null) return undefined;
  const name = containerLabel(authority);
  const now = await inspectOrRemembered(authority, parts);
  if (now === undefined) return `the runtime does not know container ${name} any more`;
  if (now.initPid === null) return `container ${name} does not run`;
  if (isInside(target.ref.pid, now, now.initPid, snapshot, parts)) return undefined;
  return `${formatRef(target.ref)} (${target.name}) sits in the cgroup of container ${name}, but shares none of its namespaces`;
}

/** The same for one act: each container is asked for once, however many of its processes are looked at. */
export function inspectingOnce(parts: MembershipParts): MembershipParts {
  const asked = new Map<string, Promise<Container | undefined>>();
  return {
    ...parts,
    inspect: (container) => {
      const answer = asked.get(container.id) ?? inspectOrRemembered(container, parts);
      asked.set(container.id, answer);
      return answer;
    },
  };
}

async function inspectOrRemembered(
  container: Container,
  parts: MembershipParts,
): Promise<Container | undefined> {
  try {
    return await parts.inspect(container);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "unavailable") throw error;
    parts.log.warn("acting on what the runtime said earlier", {
      container: containerLabel(container),
      reason: error.message,
    });
    return container;
  }
}

function isInside(
  pid: number,
  container: Container,
  initPid: number,
  snapshot: Snapshot,
  parts: MembershipParts,
): boolean {
  // A target that has ended shares nothing any more: the act itself finds that it is gone.
  if (pid === initPid || parts.readNamespace(pid, "mnt") === undefined) return true;
  const mount = parts.readNamespace(initPid, "mnt");
  const pids = parts.readNamespace(initPid, "pid");
  // With --pid=host the container's PID namespace is the agent's own and tells nothing; likewise a mount namespace that
  // the container's init shares with its parent, the runtime's shim.
  const outerPids = parts.readNamespace(parts.agentPid, "pid");
  const outerMount = mountOfParent(initPid, snapshot, parts);
  for (const at of chainInside(pid, container, snapshot)) {
    const ownMount = parts.readNamespace(at, "mnt");
    const ownPids = parts.readNamespace(at, "pid");
    if (ownMount !== undefined && ownMount === mount && mount !== outerMount) return true;
    if (ownPids !== undefined && ownPids === pids && pids !== outerPids) return true;
  }
  return false;
}

function mountOfParent(
  pid: number,
  { table, rowByPid }: Snapshot,
  parts: MembershipParts,
): string | undefined {
  const parent = table.parentPid[rowByPid.get(pid) ?? -1] ?? 0;
  return parent === 0 ? undefined : parts.readNamespace(parent, "mnt");
}

/**
 * The PID and those above it, while they are in the same container or in the one that answers for it: what an engine in
 * a container has started descends from that engine.
 */
function* chainInside(pid: number, container: Container, snapshot: Snapshot): Generator<number, void> {
  yield pid;
  const { table, rowByPid, containerOf, containers } = snapshot;
  let below = rowByPid.get(pid);
  if (below === undefined) return;
  for (const row of ancestorRows(below, snapshot)) {
    const isSame = containerOf[row] === containerOf[below];
    if (!isSame && containers[containerOf[row] ?? -1]?.id !== container.id) return;
    yield table.pid[row] ?? 0;
    below = row;
  }
}
