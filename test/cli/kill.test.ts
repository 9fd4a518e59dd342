import { expect, test } from "@jest/globals";
import type { SignalAnswer, SignalTarget } from "../../agent/api.ts";
import type { ApiClient } from "../../agent/cli/api-client.ts";
import type { CommandInput } from "../../agent/cli/command.ts";
import { kill } from "../../agent/cli/commands/kill.ts";
import { AgentError } from "../../agent/errors.ts";

const calm: SignalTarget = {
  ref: "1@2",
  name: "httpd",
  outcome: "exited",
  respawnedBy: null,
  respawn: null,
  stoppedBy: null,
  zombieOf: null,
};

/** Runs the command against an agent that answers so. */
async function run(flags: Readonly<Record<string, string>>, answer: Partial<SignalAnswer>) {
  let out = "";
  const bodies: { body: unknown; limitMs: number }[] = [];
  const whole: SignalAnswer = {
    action: "signal",
    signal: "SIGTERM",
    dryRun: false,
    targets: [],
    warnings: [],
    ...answer,
  };
  const api: Pick<ApiClient, "post"> = {
    post: async (_, body, limitMs) => {
      bodies.push({ body, limitMs });
      return whole as never;
    },
  };
  const input = {
    args: ["web/httpd"],
    flags: new Map(Object.entries(flags)),
    api,
    out: (text: string) => {
      out += text;
    },
  };
  try {
    return { code: await kill.run(input as unknown as CommandInput), out, bodies, error: "" };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { code: error.exitCode, out, bodies, error: error.message };
  }
}

test("the flags become the request, and the answer is waited for as long as it can take", async () => {
  const waits = await run({ all: "true", wait: "true", timeout: "2m" }, {});
  expect(waits.bodies[0]).toMatchObject({
    body: { selector: "web/httpd", all: true, wait: true, timeoutSeconds: 120 },
  });
  expect(waits.bodies[0]?.limitMs).toBeGreaterThan(140_000);
  const stops = await run({ stop: "true" }, {});
  expect(stops.bodies[0]).toMatchObject({ body: { stop: true } });
  expect(stops.bodies[0]?.limitMs).toBeGreaterThan(600_000);
  expect(await run({ timeout: "soon" }, {})).toMatchObject({
    code: 2,
    error: expect.stringContaining("--timeout"),
  });
});

test("what has not ended is printed, and is exit code 6 when it was waited for", async () => {
  const targets: readonly SignalTarget[] = [calm, { ...calm, ref: "3@4", outcome: "sent" }];
  expect(await run({}, { targets })).toMatchObject({ code: 0 });
  expect(await run({ wait: "true", timeout: "5s" }, { targets })).toMatchObject({
    code: 6,
    out: "1@2 httpd: exited after SIGTERM\n3@4 httpd: SIGTERM sent\n",
    error: "not ended within 5 s: 3@4 httpd; --grace kills",
  });
  const json = await run({ wait: "true", json: "true" }, { targets });
  expect(json.code).toBe(6);
  expect(JSON.parse(json.out).targets).toHaveLength(2);
});

test("a zombie is told with its parent and what helps", async () => {
  const zombieOf = { ref: "9@9", name: "lazy\u001b[1m", hint: "pidward kill 9@9" };
  const targets: readonly SignalTarget[] = [{ ...calm, outcome: "zombie", zombieOf }];
  expect(await run({}, { targets })).toMatchObject({
    code: 6,
    out: "1@2 httpd: is a zombie, which cannot be killed; its parent 9@9 lazy\\x1b[1m does not reap it: pidward kill 9@9\n",
    error: "not reaped by their parents: 1@2 httpd",
  });
  const dry: readonly SignalTarget[] = [{ ...calm, outcome: null, zombieOf }];
  expect(await run({ "dry-run": "true" }, { targets: dry, dryRun: true })).toMatchObject({
    code: 0,
    out: expect.stringContaining("cannot be killed"),
  });
});

test.each<[SignalTarget["outcome"], number, string]>([
  [null, 0, "would be stopped by supervisord (9)"],
  ["exited", 0, "stopped by supervisord (9)"],
  ["gone", 0, "was gone when supervisord (9) was asked to stop it"],
  ["sent", 6, "supervisord (9) was asked to stop it, and it has not ended"],
])("a stop with the outcome %s exits with %i", async (outcome, code, words) => {
  const targets: readonly SignalTarget[] = [{ ...calm, outcome, stoppedBy: "supervisord (9)" }];
  const answer = { signal: null, targets, warnings: ["a note"] };
  expect(await run({ stop: "true" }, answer)).toMatchObject({
    code,
    out: `note: a note\n1@2 httpd: ${words}\n`,
  });
});

test("who starts it again is said as surely as it is known", async () => {
  const again = async (respawn: SignalTarget["respawn"]) =>
    (await run({}, { targets: [{ ...calm, respawnedBy: "boss (9)", respawn }] })).out;
  expect(await again("certain")).toContain("; boss (9) will start it again\n");
  expect(await again("possible")).toContain("; boss (9) may start it again\n");
});
