import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseExposition, type Series } from "../metrics/parse-exposition.ts";
import { noteStarted } from "./started.ts";
import { waitFor } from "./wait-for.ts";

/** A scrape as series and families. */
export interface Scrape {
  readonly series: readonly Series[];
  /** Name → type. */
  readonly types: ReadonlyMap<string, string>;
}

export function readScrape(text: string): Scrape {
  const heads = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return {
    series: parseExposition(text),
    types: new Map(heads.map(([, name = "", type = ""]) => [name, type])),
  };
}

/** Debian's prometheus-process-exporter as a child on a port of the loopback. */
export class ProcessExporter {
  private child: ChildProcess | undefined;
  private port = 0;

  async start(args: readonly string[]): Promise<void> {
    this.port = await freePort();
    const child = spawn(
      "/usr/bin/prometheus-process-exporter",
      [`-web.listen-address=127.0.0.1:${this.port}`, ...args],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.child = child;
    let log = "";
    child.stderr?.on("data", (chunk) => {
      log += chunk;
    });
    if (child.pid !== undefined) noteStarted(child.pid);
    await waitFor("process-exporter to answer", async () => {
      if (child.exitCode !== null) throw new Error(`process-exporter exited with ${child.exitCode}:\n${log}`);
      return (await this.get()) !== undefined;
    });
    // It reckons starts from the boot time in whole seconds, up to one too early: what is started in the second after its own
    // start can be to it one of those that were there before, of which nothing counts that they had used.
    await delay(1_100);
  }

  async scrape(): Promise<Scrape> {
    return readScrape((await this.get()) ?? "");
  }

  private get(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const request = http.get(
        { host: "127.0.0.1", port: this.port, path: "/metrics", agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        },
      );
      request.once("error", () => resolve(undefined));
    });
  }

  async stop(): Promise<void> {
    if (this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
