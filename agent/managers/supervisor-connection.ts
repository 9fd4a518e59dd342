import { closeSync, openSync, readlinkSync } from "node:fs";
import net from "node:net";
import { AgentError } from "../errors.ts";
import type { ProcessRef } from "../model.ts";
import { openContainerFiles } from "./inside.ts";
import type { ManagerParts } from "./manager.ts";
import { plainText } from "./plain-text.ts";
import { requireLife } from "./same-life.ts";
import type { SupervisorServer } from "./supervisor-config.ts";

/**
 * Connects to the server of a supervisord from outside its container.
 *
 * A unix socket is looked up inside the container's root, links and all, and connected to by its descriptor: no length of
 * its path matters, and no link leads to a socket of the host. The listener has to be in supervisord's mount namespace.
 *
 * An address is the container's own, 127.0.0.1 as a rule, so the socket is made in supervisord's network namespace. The
 * other way, a client run inside by the runtime, needs one that is there, and would show the password among its arguments.
 *
 * @throws AgentError `unavailable`
 */
export function connectToSupervisor(
  server: SupervisorServer,
  ref: ProcessRef,
  parts: ManagerParts,
): net.Socket {
  return server.kind === "unix"
    ? connectUnix(server.path, ref, parts)
    : connectInet(server.address, server.port, ref, parts);
}

function connectUnix(path: string, ref: ProcessRef, parts: ManagerParts): net.Socket {
  const { procRoot, syscalls } = parts;
  const fd = openContainerFiles(procRoot, ref.pid, syscalls).openSpecial(path, "socket");
  if (fd === undefined) requireLife(ref, parts);
  if (fd === undefined) throw new AgentError("unavailable", `there is no socket ${plainText(path, 300)}`);
  try {
    requireLife(ref, parts);
    // connect(2) of a unix socket happens within this call.
    const socket = net.connect({ path: `/proc/self/fd/${fd}` });
    socket.once("connect", () => {
      const stranger = strangerBehind(socket, ref, parts);
      if (stranger !== undefined)
        socket.destroy(new Error(`its socket is served by process ${stranger}, outside the container`));
    });
    return socket;
  } finally {
    closeSync(fd);
  }
}

/** Host PID of a listener with other mounts than supervisord. One that has ended, as a daemon's first process does, is none. */
function strangerBehind(socket: net.Socket, ref: ProcessRef, parts: ManagerParts): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  const peer = typeof fd === "number" ? parts.syscalls.peerCredentials(fd) : undefined;
  if (peer === undefined) return undefined;
  const mounts = parts.readLink(peer.pid, "ns/mnt");
  return mounts === undefined || mounts === parts.readLink(ref.pid, "ns/mnt") ? undefined : peer.pid;
}

function connectInet(address: string, port: number, ref: ProcessRef, parts: ManagerParts): net.Socket {
  const path = `${parts.procRoot}/${ref.pid}/ns/net`;
  if (readlinkSync(path) === readlinkSync("/proc/thread-self/ns/net")) {
    requireLife(ref, parts);
    return net.connect({ host: address, port });
  }
  const namespace = openSync(path, "r");
  try {
    requireLife(ref, parts);
    return new net.Socket({ fd: parts.syscalls.connectInNetwork(namespace, address, port) });
  } finally {
    closeSync(namespace);
  }
}
