import { readFileSync, statSync } from "node:fs";
import { AgentError, reasonOf } from "../errors.ts";
import type { Flag } from "./command.ts";

/** By what an agent is trusted, and who asks it. */
export interface Credentials {
  /** Authorities of the agent's certificate, in PEM, in place of the system's. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
}

/** Each also by its environment name, `PIDWARD_TOKEN_FILE`. */
export const credentialFlags: readonly Flag[] = [
  { name: "ca", value: "FILE", meaning: "who has signed the agent's certificate (also PIDWARD_CA)" },
  { name: "cert", value: "FILE", meaning: "client certificate to show (also PIDWARD_CERT)" },
  { name: "key", value: "FILE", meaning: "its key; readable by nobody else (also PIDWARD_KEY)" },
  {
    name: "token-file",
    value: "FILE",
    meaning: "file with a bearer token; readable by nobody else (also PIDWARD_TOKEN_FILE)",
  },
];

/**
 * Reads the files that flags or the environment name.
 * @throws AgentError `bad_request` that names the flag, the file and what is wrong with it
 */
export function readCredentials(
  flags: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string | undefined>>,
): Credentials {
  const read = (flag: string, isSecret: boolean): Buffer | undefined => {
    const file = flags.get(flag) ?? env[`PIDWARD_${flag.toUpperCase().replace("-", "_")}`];
    return file === undefined || file === "" ? undefined : readFile(file, flag, isSecret);
  };
  const ca = read("ca", false);
  const cert = read("cert", false);
  const key = read("key", true);
  if ((cert === undefined) !== (key === undefined))
    throw new AgentError("bad_request", "--cert and --key go together");
  const token = read("token-file", true)?.toString("utf8").trim();
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new AgentError("bad_request", "--token-file: there is no token in it: one word is expected");
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(token === undefined ? {} : { token }),
  };
}

function readFile(file: string, flag: string, isSecret: boolean): Buffer {
  try {
    const { mode } = statSync(file);
    if (isSecret && (mode & 0o077) !== 0)
      throw new AgentError(
        "bad_request",
        `--${flag}: ${file} can be read by others (mode ${(mode & 0o777).toString(8)}); chmod 600 it`,
      );
    return readFileSync(file);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError("bad_request", `--${flag}: ${reasonOf(error)}`, { cause: error });
  }
}
