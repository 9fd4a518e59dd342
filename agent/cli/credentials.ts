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

type CredentialFlag = "ca" | "cert" | "key" | "token-file";
export type CredentialFiles = Readonly<Record<CredentialFlag, string | undefined>>;

/**
 * Reads the files that flags, a host's entry or the environment name, in this order.
 * @param entry what is written of the host, and where
 * @throws AgentError `bad_request` that names the flag or the entry, the file and what is wrong with it
 */
export function readCredentials(
  flags: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string | undefined>>,
  entry?: { readonly of: string; readonly files: CredentialFiles },
): Credentials {
  const find = (flag: CredentialFlag): { readonly file: string | undefined; readonly where: string } => {
    const written = flags.has(flag) ? undefined : entry?.files[flag];
    return written === undefined
      ? {
          file: flags.get(flag) ?? env[`PIDWARD_${flag.toUpperCase().replace("-", "_")}`],
          where: `--${flag}`,
        }
      : { file: written, where: `${entry?.of}: ${flag.replace("-", "_")}` };
  };
  const read = (flag: CredentialFlag, isSecret: boolean): Buffer | undefined => {
    const { file, where } = find(flag);
    return file === undefined || file === "" ? undefined : readFile(file, where, isSecret);
  };
  const ca = read("ca", false);
  const cert = read("cert", false);
  const key = read("key", true);
  if ((cert === undefined) !== (key === undefined))
    throw new AgentError(
      "bad_request",
      `${find(cert === undefined ? "key" : "cert").where}: a certificate and its key go together`,
    );
  const token = read("token-file", true)?.toString("utf8").trim();
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new AgentError(
      "bad_request",
      `${find("token-file").where}: there is no token in it: one word is expected`,
    );
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(token === undefined ? {} : { token }),
  };
}

function readFile(file: string, where: string, isSecret: boolean): Buffer {
  try {
    const { mode } = statSync(file);
    if (isSecret && (mode & 0o077) !== 0)
      throw new AgentError(
        "bad_request",
        `${where}: ${file} can be read by others (mode ${(mode & 0o777).toString(8)}); chmod 600 it`,
      );
    return readFileSync(file);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError("bad_request", `${where}: ${reasonOf(error)}`, { cause: error });
  }
}
