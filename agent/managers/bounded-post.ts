import http from "node:http";
import type { Socket } from "node:net";
import { AgentError, reasonOf } from "../errors.ts";

export interface PostRequest {
  /** Gives a socket that is connected or about to be. @throws AgentError */
  readonly connect: () => Socket;
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: string;
  /** For all of it, from connecting to the answer's last byte. */
  readonly limitMs: number;
  readonly maxBytes: number;
}

export interface PostAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * POST over HTTP/1.1 to a server that may be frozen, endless or hostile.
 * @throws AgentError `unavailable` when there is no whole answer within the limits
 */
export async function boundedPost(request: PostRequest): Promise<PostAnswer> {
  const { limitMs, maxBytes, body } = request;
  const signal = AbortSignal.timeout(limitMs);
  const socket = request.connect();
  try {
    return await new Promise((resolve, reject) => {
      const options: http.RequestOptions = {
        createConnection: () => socket,
        method: "POST",
        host: "localhost",
        path: request.path,
        headers: { ...request.headers, "content-length": Buffer.byteLength(body), connection: "close" },
        signal,
      };
      const sent = http.request(options, (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > maxBytes) sent.destroy(new Error(`it answered more than ${maxBytes} bytes`));
          else chunks.push(chunk);
        });
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      sent.once("error", reject);
      sent.once("close", () => reject(new Error("it closed the connection")));
      sent.end(body);
    });
  } catch (error) {
    const reason = signal.aborted ? `no answer within ${limitMs / 1000} s` : reasonOf(error);
    throw new AgentError("unavailable", reason, { cause: error });
  } finally {
    socket.destroy();
  }
}
