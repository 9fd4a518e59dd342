import { RE2JS } from "re2js";
import { reasonOf } from "../../errors.ts";
import type { Pattern } from "./rules.ts";

/**
 * A regular expression of Go. Not JavaScript's: its syntax differs, and command lines come from containers, which could
 * hold up the agent for minutes by one that makes it try all ways. RE2 takes time by the length of the text.
 * @throws Error that quotes the expression and says what is wrong
 */
export function compilePattern(source: string): Pattern {
  const compiled = compile(source);
  const names = Array.from({ length: compiled.groupCount() + 1 }, () => "");
  for (const [name, index] of Object.entries(compiled.namedGroups())) names[index] = name;
  return {
    groupNames: names,
    find: (text) => {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      return names.map((_, index) => matcher.group(index) ?? "");
    },
  };
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    throw new Error(`${JSON.stringify(source)} is no regular expression of Go: ${reasonOf(error)}`);
  }
}
