import http from "node:http";

/** Answers the command line as an agent would, with what a test has laid down. */
export interface FakeAgent {
  /** What was asked so far. */
  readonly asked: readonly { readonly line: string; readonly body: string }[];
  /** @param line `GET /api/v1/processes` */
  answer(line: string, body: unknown, status?: number): void;
  /** Forgets the answers and what was asked. */
  reset(): void;
  close(): Promise<void>;
}

export function problem(code: string, detail: string, facts = {}) {
  return { type: "about:blank", title: "", status: 0, code, detail, ...facts };
}

/** @param during what happens while a request is answered */
export async function startFakeAgent(
  socket: string,
  during = async (): Promise<void> => {},
): Promise<FakeAgent> {
  const answers = new Map<string, { status: number; body: unknown }>();
  const asked: { line: string; body: string }[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", async () => {
      const line = `${request.method} ${request.url}`;
      asked.push({ line, body });
      await during();
      const answer = answers.get(line) ?? { status: 404, body: problem("not_found", `nothing at ${line}`) };
      const isStream = typeof answer.body === "string";
      response
        .writeHead(answer.status, { "content-type": isStream ? "text/event-stream" : "application/json" })
        .end(isStream ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    asked,
    answer: (line, body, status = 200) => void answers.set(line, { status, body }),
    reset: () => {
      asked.length = 0;
      answers.clear();
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
