import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { AgentError } from "../../../agent/errors.ts";
import { parseGroupConfig } from "../../../agent/inventory/process-groups/config.ts";
import { compilePattern } from "../../../agent/inventory/process-groups/patterns.ts";
import { baseName, defaultRules } from "../../../agent/inventory/process-groups/rules.ts";
import { parseTemplate } from "../../../agent/inventory/process-groups/templates.ts";

/** Which rule is about a process, and what its expressions found. */
function match(config: string, comm: string, argv: readonly string[]) {
  const { rules } = parseGroupConfig(config, "c.yml");
  for (const [index, rule] of rules.entries()) {
    const matches = rule.match({ comm, argv, line: argv.join(" ") });
    if (matches !== undefined) return { index, matches: Object.fromEntries(matches) };
  }
  return undefined;
}

function refusal(config: string): string {
  try {
    parseGroupConfig(config, "c.yml");
  } catch (error) {
    if (error instanceof AgentError && error.code === "bad_request") return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}

test("the first rule that matches counts; comm and exe match if one does, cmdline if all do", () => {
  const config = `
process_names:
- comm: [bash, nginx]
  exe: [nginx]
- cmdline: ['--a', '--b=(?P<B>\\w+)']
- exe: [/usr/bin/psql, redis]
`;
  expect(match(config, "nginx", ["/usr/sbin/nginx", "-g"])?.index).toBe(0);
  expect(match(config, "bash", ["/bin/bash"])).toBeUndefined();
  expect(match(config, "x", ["x", "--b=7", "--a"])).toEqual({ index: 1, matches: { "": "--b=7", B: "7" } });
  expect(match(config, "x", ["x", "--b=7"])).toBeUndefined();
  expect(match(config, "psql", ["/usr/bin/psql"])?.index).toBe(2);
  expect(match(config, "psql", ["/opt/psql"])).toBeUndefined();
  expect(match(config, "redis", ["/any/where/redis"])?.index).toBe(2);
  expect(match(config, "redis", [])).toBeUndefined();
});

test("an empty list of comm matches nothing, of cmdline everything; of two exe with one last part the later counts", () => {
  expect(match("process_names: [{comm: []}]", "a", ["a"])).toBeUndefined();
  expect(match("process_names: [{cmdline: []}]", "a", [])?.index).toBe(0);
  expect(match("process_names: [{exe: [a, /x/a]}]", "a", ["/y/a"])).toBeUndefined();
});

test("texts are read as they stand, through aliases and merged maps, and of a repeated key the last counts", () => {
  const config = `
process_names:
- &base
  comm: &names [yes, 1.0, ~]
- <<: *base
  exe: *names
  exe: [no]
`;
  const { rules } = parseGroupConfig(config, "c.yml");
  const about = (comm: string, first: string) =>
    rules.map((rule) => rule.match({ comm, argv: [first], line: first }) !== undefined);
  expect(about("yes", "no")).toEqual([true, true]);
  expect(about("1.0", "yes")).toEqual([true, false]);
  expect(about("", "x")).toEqual([true, false]);
});

test("what is wrong is told with its line", () => {
  const rule = "process_names:\n- comm: [a]\n";
  expect(refusal(`${rule}- name: x`)).toBe("c.yml:3: an entry needs one of comm, exe and cmdline");
  expect(refusal(`${rule}- comm: a`)).toBe("c.yml:3: comm is not a list");
  expect(refusal(`${rule}- comm:\n  - [a]`)).toBe("c.yml:4: an entry of comm is not a text");
  expect(refusal(`${rule}- cmdline:\n  - ok\n  - '(a'`)).toMatch(
    /^c\.yml:5: "\(a" is no regular expression of Go: .*missing closing \)/,
  );
  expect(refusal(`${rule}- cmdline:\n  - a(?=b)`)).toMatch(/^c\.yml:4: "a\(\?=b\)" is no regular expression/);
  expect(refusal(`${rule}- comm: [b]\n  name: '{{.Com}}'`)).toMatch(/^c\.yml:4: "{{\.Com}}" is no field/);
  expect(refusal("process_names: {}")).toBe("c.yml:1: process_names is not a list");
  expect(refusal("process_names: [a]")).toMatch(/^c\.yml:1: an entry of process_names is a map/);
  expect(refusal("a: [")).toMatch(/^c\.yml:1: /);
  expect(refusal("- a")).toMatch(/^c\.yml:1: a map/);
});

test("what means nothing is remarked, and a file without rules is one", () => {
  const { remarks } = parseGroupConfig("process_names:\n- comm: [a]\n  cmdlines: [b]\n", "c.yml");
  expect(remarks).toEqual(['c.yml:3: "cmdlines" means nothing: known are name, comm, exe, cmdline']);
  expect(parseGroupConfig("", "c.yml")).toMatchObject({
    rules: [],
    remarks: [expect.stringContaining("empty")],
  });
  expect(parseGroupConfig("process_names:", "c.yml").rules).toEqual([]);
});

test("any file gives rules or a refusal that names it, and never another failure", () => {
  const bytes = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."process_names:\n- &*{}[],'\"<|>!%@`#?~cmdlinexae.".split("")) }),
    fc.string({ unit: "binary" }).map((text) => `process_names:\n- ${text}`),
    fc.string({ unit: "binary" }).map((text) => `process_names:\n- cmdline:\n  - ${text}\n  name: ${text}`),
    fc.json().map((text) => `process_names: ${text}`),
  );
  fc.assert(
    fc.property(bytes, (text) => {
      try {
        for (const rule of parseGroupConfig(text, "c.yml").rules)
          rule.match({ comm: "a", argv: ["a"], line: "a" });
      } catch (error) {
        expect(error).toBeInstanceOf(AgentError);
        expect(String(error)).toContain("c.yml:");
      }
    }),
    { numRuns: 500 },
  );
});

test("expressions are Go's: classes, flags, names, ends of the text", () => {
  const found = (source: string, text: string) => compilePattern(source).find(text);
  expect(found("(?P<n>\\pL+)\\z", "1é")).toEqual(["é", "é"]);
  expect(found("(?i)ABC(x)?", "abc")).toEqual(["abc", ""]);
  expect(found("[[:digit:]]+$", "a1\n")).toBeUndefined();
  expect(found("(?U)a+", "aaa")).toEqual(["a"]);
  expect(found("a.b", "a\nb")).toBeUndefined();
  expect(() => compilePattern("(a)\\1")).toThrow(/"\(a\)\\\\1" is no regular expression of Go/);
});

test("a hostile text takes an expression no longer than its length", () => {
  // Tried in all ways this would take longer than the universe is old.
  expect(compilePattern("^(a+)+$").find(`${"a".repeat(8000)}b`)).toBeUndefined();
});

const facts = {
  Comm: "nginx",
  ExeBase: "nginx",
  ExeFull: "/usr/sbin/nginx",
  Username: "root",
  PID: "42",
  StartTime: "then",
  "StartTime.Unix": "7",
  Cgroups: "[/]",
  Cwd: "/srv",
  Container: "web",
  matches: new Map([
    ["b", "2"],
    ["", "all"],
  ]),
};

test("templates have fields, blanks, trim markers and comments; what no group found is told so", () => {
  const render = (text: string): string => parseTemplate(text).render(facts);
  expect(render("{{.Comm}}:{{ .Matches.b }}:{{.Container}}")).toBe("nginx:2:web");
  expect(render("a {{- .Comm -}} b {{- /* not */ -}} c")).toBe("anginxbc");
  expect(render("{{.Matches.x}} {{.Matches}}")).toBe("<no value> map[:all b:2]");
  expect(render("plain }} {{.StartTime.Unix}}")).toBe("plain }} 7");
  expect(parseTemplate("{{.Container}}{{.Comm}}").uses).toEqual(new Set(["Container", "Comm"]));
});

test("other constructs of templates are refused and quoted", () => {
  const wrong = [
    "{{.Comm | printf}}",
    "{{if .Comm}}a{{end}}",
    "{{.Comm.X}}",
    "{{.comm}}",
    "{{.Comm",
    "{{}}",
    "{{-3}}",
  ];
  for (const text of wrong) expect(() => parseTemplate(text)).toThrow(/"\{\{/);
});

test("any text is a template or is refused", () => {
  const unit = fc.constantFrom(..."{}.- \n/*CommMatches|".split(""), "{{", "}}", "{{.Comm}}");
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      let rendered: string;
      try {
        rendered = parseTemplate(text).render(facts);
      } catch (error) {
        expect(String(error)).toContain("{{");
        return;
      }
      expect(typeof rendered).toBe("string");
    }),
  );
});

test("without a file every process with a command line is grouped by its name", () => {
  const [rule] = defaultRules();
  expect(rule?.match({ comm: "a", argv: ["a"], line: "a" })).toBeDefined();
  expect(rule?.match({ comm: "kthreadd", argv: [], line: "" })).toBeUndefined();
});

test("the last part of a path is Go's", () => {
  expect(["", "/", "//", "a", "/a/b", "/a/b//"].map(baseName)).toEqual([".", "/", "/", "a", "b", "b"]);
});
