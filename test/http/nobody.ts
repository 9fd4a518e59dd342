import type { Caller } from "../../agent/http/access/access.ts";

/** Who asks where it does not matter. */
export const nobody: Caller = {
  role: "admin",
  actor: { uid: null, gid: null, pid: null, user: null, from: "test" },
};
