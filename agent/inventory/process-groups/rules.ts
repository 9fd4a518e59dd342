import { type NameTemplate, parseTemplate } from "./templates.ts";

/** What rules look at. */
export interface RuleSubject {
  readonly comm: string;
  /** Without empty arguments at its end; empty for threads of the kernel and zombies. */
  readonly argv: readonly string[];
  /** The arguments with blanks in between. */
  readonly line: string;
}

/** What regular expressions found: by the name of the group, under "" the last one without a name. */
export type Matches = ReadonlyMap<string, string>;

/** One entry of `process_names`. */
export interface GroupRule {
  readonly name: NameTemplate;
  /** Undefined: the rule is not about this process. */
  match(subject: RuleSubject): Matches | undefined;
}

const none: Matches = new Map();

/** Without a configuration: every process with a command line, by its name, as Debian's example and the packages have it. */
export function defaultRules(): readonly GroupRule[] {
  return [{ name: parseTemplate("{{.Comm}}"), match: ({ line }) => (/[^\n]/.test(line) ? none : undefined) }];
}

/** A regular expression; its groups' names in order, "" for those without one, the whole match first. */
export interface Pattern {
  readonly groupNames: readonly string[];
  /** The groups in order; undefined: it is not found in the text. */
  find(text: string): readonly string[] | undefined;
}

export interface RuleParts {
  readonly name: NameTemplate;
  readonly comm?: readonly string[] | undefined;
  readonly exe?: readonly string[] | undefined;
  readonly cmdline?: readonly Pattern[] | undefined;
}

/** `comm` and `exe` each match if one of theirs does, `cmdline` if all do; what is there has to match. */
export function createRule({ name, comm, exe, cmdline }: RuleParts): GroupRule {
  const comms = comm && new Set(comm);
  // By its last part, so that of two with the same one the later counts: process-exporter keeps them so.
  const exes = exe && new Map(exe.map((one) => [baseName(one), one.includes("/") ? one : ""]));
  return {
    name,
    match: (subject) => {
      if (comms?.has(subject.comm) === false) return undefined;
      if (exes !== undefined && !matchesExe(exes, subject.argv[0])) return undefined;
      return cmdline === undefined ? none : findAll(cmdline, subject.line);
    },
  };
}

function matchesExe(exes: ReadonlyMap<string, string>, first: string | undefined): boolean {
  if (first === undefined) return false;
  const path = exes.get(baseName(first));
  return path === "" || (path !== undefined && path === first);
}

function findAll(patterns: readonly Pattern[], line: string): Matches | undefined {
  const matches = new Map<string, string>();
  for (const pattern of patterns) {
    const groups = pattern.find(line);
    if (groups === undefined) return undefined;
    for (const [index, name] of pattern.groupNames.entries()) matches.set(name, groups[index] ?? "");
  }
  return matches;
}

/** The last part of a path, as Go's path/filepath.Base gives it: `.` for nothing, `/` for slashes only. */
export function baseName(path: string): string {
  if (path === "") return ".";
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}
