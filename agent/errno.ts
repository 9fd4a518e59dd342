import os from "node:os";

const names = new Map(Object.entries(os.constants.errno).map(([name, value]) => [value, name]));

/** The name of errno(3)'s number: `ENOENT`; `errno 524` for one that Node does not know. */
export function nameOfErrno(number: number): string {
  return names.get(number) ?? `errno ${number}`;
}
