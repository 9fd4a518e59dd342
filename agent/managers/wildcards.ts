import path from "node:path";
import type { ContainerRoot } from "./inside.ts";

/** So many folders are looked into for one pattern, and so many paths given. */
const mostPaths = 500;

/** The paths in a container that an absolute pattern with * and ? fits (glob(7)), in the order of their names. */
export function expandWildcards(pattern: string, files: Pick<ContainerRoot, "list">): readonly string[] {
  let paths = ["/"];
  for (const part of path.posix.normalize(pattern).split("/").filter(Boolean)) {
    paths = paths.flatMap((folder) => {
      if (!/[*?]/.test(part)) return [path.posix.join(folder, part)];
      const names = files.list(folder).filter((name) => !name.startsWith(".") && fits(part, name));
      return names.map((name) => path.posix.join(folder, name));
    });
    paths = paths.slice(0, mostPaths);
  }
  return paths.sort();
}

/** In a time that grows with the lengths only: no regular expression is made from a container's text. */
function fits(pattern: string, name: string): boolean {
  let [at, star, resumeAt] = [0, -1, 0];
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === "*") {
      star = at++;
      resumeAt = index;
    } else if (pattern[at] === "?" || pattern[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resumeAt;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
