import net from "node:net";
import { WebSocket } from "ws";
import type { AttachNotice } from "../../agent/api.ts";
import { waitFor } from "./wait-for.ts";

/** The other end of an attached terminal: notes what comes. */
export class TestTerminal {
  readonly socket: WebSocket;
  notice: AttachNotice | undefined;
  closed = false;
  /** How many bytes came; `text` keeps the last ones. */
  received = 0;
  text = "";

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer;
      if (!isBinary) this.notice = JSON.parse(bytes.toString("utf8"));
      else {
        this.received += bytes.length;
        this.text = (this.text + bytes.toString("latin1")).slice(-65_536);
      }
    });
    socket.once("close", () => {
      this.closed = true;
    });
    socket.on("error", () => {});
  }

  /** @returns the terminal, or what the agent answered instead */
  static async open(
    socketPath: string,
    query: Readonly<Record<string, string | readonly string[]>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TestTerminal | { readonly status: number; readonly body: string }> {
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, one]),
    );
    const search = new URLSearchParams(pairs);
    const socket = new WebSocket(`ws://pidward/api/v1/attach?${search}`, {
      headers,
      perMessageDeflate: false,
      createConnection: () => net.connect({ path: socketPath }),
    });
    const terminal = new TestTerminal(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(terminal));
      socket.once("error", reject);
      socket.once("unexpected-response", async (_, response) => {
        let body = "";
        for await (const chunk of response) body += chunk;
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text, "latin1"), { binary: true });
  }

  order(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  async see(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(`${pattern} on the terminal`, () => {
      const found = pattern.exec(this.text);
      if (found === null && this.closed) throw new Error(`the session ended: ${JSON.stringify(this.text)}`);
      return found ?? undefined;
    });
  }

  /** Waits for the end. @returns the exit code, or the code of the error */
  async ended(): Promise<number | string | null | undefined> {
    await waitFor("the end of the session", () => this.closed, 30_000);
    return this.notice?.type === "exit" ? this.notice.exitCode : this.notice?.code;
  }

  close(): void {
    this.socket.close();
  }
}
