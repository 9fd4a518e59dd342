import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { redactArguments } from "../agent/redact.ts";

test.each([
  [
    ["mysql", "--password=hunter2", "-h", "db"],
    ["mysql", "--password=***", "-h", "db"],
  ],
  [
    ["psql", "--db-password", "hunter2", "shop"],
    ["psql", "--db-password", "***", "shop"],
  ],
  [
    ["app", "-token", "abc", "-v"],
    ["app", "-token", "***", "-v"],
  ],
  [
    ["env", "AWS_SECRET_ACCESS_KEY=abc", "API_KEY=x", "A=b"],
    ["env", "AWS_SECRET_ACCESS_KEY=***", "API_KEY=***", "A=b"],
  ],
  [
    ["curl", "https://ann:pw@host/x?token=abc&page=2"],
    ["curl", "https://ann:***@host/x?token=***&page=2"],
  ],
  [
    ["curl", "-H", "Authorization: Bearer abc.def"],
    ["curl", "-H", "Authorization: Bearer ***"],
  ],
  [
    ["app", "--password", "--verbose"],
    ["app", "--password", "--verbose"],
  ],
  [
    ["sshd", "--passenger-count=3", "compass=north"],
    ["sshd", "--passenger-count=3", "compass=north"],
  ],
  [
    ["sh", "-c", "exec app --password hunter2 --db-password=x 'TOKEN=y'"],
    ["sh", "-c", "exec app --password *** --db-password=*** 'TOKEN=***'"],
  ],
  [
    ["nginx", "-g", "daemon off;"],
    ["nginx", "-g", "daemon off;"],
  ],
])("%j is shown as %j", (argv, shown) => {
  expect(redactArguments(argv)).toEqual(shown);
});

test("any command line keeps its length, and is masked no further the second time", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (argv) => {
      const once = redactArguments(argv);
      expect(once).toHaveLength(argv.length);
      expect(redactArguments(once)).toEqual(once);
    }),
  );
});

test("a long hostile argument takes no long time", () => {
  const argv = ["a://".repeat(20_000), `${"?x=".repeat(20_000)}`, "authorization:".repeat(10_000)];
  expect(redactArguments(argv)).toHaveLength(3);
});
