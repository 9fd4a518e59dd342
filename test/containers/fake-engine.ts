import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

export interface FakeContainer {
  readonly id: string;
  name: string;
  status: string;
  pid: number;
  /** Left out: it has no health check. */
  health?: string;
}

/** A small Docker Engine on a socket of its own: containers to list, events to send, and ways to misbehave. */
export class FakeEngine {
  readonly socket = path.join(mkdtempSync(path.join(os.tmpdir(), "pidward-engine-")), "docker.sock");
  readonly containers = new Map<string, FakeContainer>();
  readonly calls: string[] = [];
  /** `hangs`: takes requests and never answers. */
  mode: "answers" | "hangs" = "answers";
  /** 204, or 304 for a container that is stopped already. */
  stopStatus = 204;
  startError: { status: number; message: string } | undefined;
  private server: http.Server | undefined;
  private streams: http.ServerResponse[] = [];

  add(id: string, name: string): void {
    this.containers.set(id, { id, name, status: "running", pid: 4242 });
  }

  async start(): Promise<void> {
    const server = http.createServer((request, response) => this.answer(request, response));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.streams = [];
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    this.server = undefined;
  }

  remove(): void {
    rmSync(path.dirname(this.socket), { recursive: true, force: true });
  }

  send(action: string, id: string): void {
    for (const stream of this.streams) {
      stream.write(`${JSON.stringify({ Type: "container", Action: action, Actor: { ID: id } })}\n`);
    }
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://engine");
    this.calls.push(`${request.method} ${url.pathname}`);
    if (this.mode === "hangs") return;
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const id = /^\/containers\/([^/]+)\/json$/.exec(url.pathname)?.[1];
    const container = this.containers.get(id ?? "");
    if (url.pathname === "/version") json(200, { Version: "20.10.24", Components: [{ Name: "Engine" }] });
    else if (url.pathname === "/events") {
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      this.streams.push(response);
    } else if (url.pathname === "/containers/json")
      json(
        200,
        [...this.containers.values()].map((one) => ({ Id: one.id })),
      );
    else if (id !== undefined && container !== undefined) json(200, inspection(container));
    else if (url.pathname.endsWith("/stop")) response.writeHead(this.stopStatus).end();
    else if (url.pathname.endsWith("/exec")) json(201, { Id: "e1" });
    else if (url.pathname === "/exec/e1/start" && this.startError !== undefined) {
      json(this.startError.status, { message: this.startError.message });
    } else if (url.pathname === "/exec/e1/start") response.writeHead(200).end();
    else if (url.pathname === "/exec/e1/json") json(200, { Running: true, Pid: 77, ExitCode: null });
    else json(404, { message: `no such thing: ${url.pathname}` });
  }
}

function inspection(container: FakeContainer) {
  return {
    Id: container.id,
    Name: `/${container.name}`,
    Created: "2026-01-01T00:00:00.25Z",
    SizeRw: 4096,
    GraphDriver: { Name: "overlay2", Data: { UpperDir: "/var/lib/docker/overlay2/x/diff" } },
    RestartCount: 2,
    Config: { Image: "shop/web:3", Labels: null },
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
    State: {
      Status: container.status,
      Running: container.status === "running",
      Pid: container.pid,
      StartedAt: "2026-01-01T00:00:00.5Z",
      ExitCode: 0,
      OOMKilled: false,
      ...(container.health === undefined ? {} : { Health: { Status: container.health } }),
    },
  };
}
