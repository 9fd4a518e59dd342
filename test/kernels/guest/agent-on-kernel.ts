import { afterAll, expect, test } from "@jest/globals";
import { TestAgent } from "../../support/agent.ts";

// No `.test.ts`: only test/kernels/ runs it, where BPF must be the choice. Elsewhere another source may be right.

const agent = new TestAgent();
afterAll(() => agent.remove());

test("doctor says that processes and their ends are read by BPF", async () => {
  const { code, stdout, stderr } = await agent.cli("doctor", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const findings: { subject: string; level: string; message: string }[] = JSON.parse(stdout);
  const about = (subject: string) => findings.find((finding) => finding.subject === subject);
  expect(about("source")).toMatchObject({ level: "ok", message: "processes are read by bpf" });
  expect(about("events")).toMatchObject({ level: "ok", message: expect.stringContaining("by bpf") });
});

test("an agent that was asked for nothing chooses BPF for both", async () => {
  await agent.start();
  const { status, text } = await agent.get("/metrics");
  expect(status).toBe(200);
  const facts = text.split("\n").filter((line) => /^pidward_(events_)?source_info/.test(line));
  expect(facts).toEqual([
    expect.stringMatching(/^pidward_source_info\{source="bpf".*\} 1$/),
    expect.stringMatching(/^pidward_events_source_info\{source="bpf".*\} 1$/),
  ]);
});
