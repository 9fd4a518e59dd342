import { rmSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { waitFor } from "./wait-for.ts";

/** A socket in front of a real engine that can stop answering, for some calls or for all, while the engine itself goes on. */
export class EngineProxy {
  readonly socket: string;
  /** The first lines of requests that were taken and not passed on. */
  readonly held: string[] = [];
  private readonly engine: string;
  private readonly open = new Set<net.Socket>();
  private holds: (line: string) => boolean = () => false;
  private server: net.Server | undefined;

  /** @param folder where the socket is made */
  constructor(engine: string, folder: string) {
    this.engine = engine;
    this.socket = path.join(folder, "engine-proxy.sock");
  }

  async start(): Promise<void> {
    const server = net.createServer((client) => this.join(client));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
  }

  /** From now on, requests whose first line (`POST /containers/ID/exec …`) it says so of are never answered. */
  hold(which: (line: string) => boolean): void {
    this.holds = which;
  }

  async untilHeld(what: string, which: (line: string) => boolean): Promise<void> {
    await waitFor(`${what} to be held`, () => this.held.some(which), 45_000);
  }

  /** Refuses connections, and ends those there are. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.open) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(this.socket, { force: true });
  }

  private join(client: net.Socket): void {
    const engine = net.connect({ path: this.engine });
    for (const [one, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      this.open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.open.delete(one);
        other.destroy();
      });
    }
    engine.on("data", (bytes) => client.write(bytes));
    let isHeld = false;
    client.on("data", (bytes: Buffer) => {
      // A request begins a chunk: the agent's client sends one after the other.
      const line = /^(?:GET|POST|DELETE) [^\r\n]+/.exec(bytes.toString("latin1", 0, 2_000))?.[0];
      if (line !== undefined && this.holds(line)) {
        isHeld = true;
        this.held.push(line);
      }
      if (!isHeld) engine.write(bytes);
    });
  }
}
