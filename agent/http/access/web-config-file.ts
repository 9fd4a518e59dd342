import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { SecureContextOptions } from "node:tls";
import { AgentError, reasonOf } from "../../errors.ts";
import { readTlsOptions } from "./tls-options.ts";
import { parseWebConfig, type WebConfig } from "./web-config.ts";

/** A web configuration with the files that it names, as they were read together. */
export interface LoadedWebConfig {
  readonly config: WebConfig;
  /** Undefined: without TLS. */
  readonly tls: SecureContextOptions | undefined;
}

/** A web configuration that is read anew when it, or a file that it names, changes. */
export interface WebConfigWatch {
  readonly current: () => LoadedWebConfig;
  /** Reads it again now, whether or not it has changed. */
  reload(): void;
  close(): void;
}

export interface WebConfigEvents {
  /** Is told of each configuration that takes the place of another. */
  readonly onLoaded: (loaded: LoadedWebConfig) => void;
  /** One that cannot be used: the old one stays. */
  readonly onFailure: (error: AgentError) => void;
}

const lookEveryMs = 5_000;

/** @throws AgentError `bad_request` that names the file and the line */
export function loadWebConfig(file: string): LoadedWebConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new AgentError("bad_request", `--web.config.file: ${reasonOf(error)}`, { cause: error });
  }
  const config = parseWebConfig(text, file);
  const { tls_server_config: tls } = config;
  return { config, tls: tls === undefined ? undefined : readTlsOptions(tls, file) };
}

/** @param loaded as the file was just now */
export function watchWebConfig(
  file: string,
  loaded: LoadedWebConfig,
  { onLoaded, onFailure }: WebConfigEvents,
): WebConfigWatch {
  let current = loaded;
  let seen = stamp(file, current.config);
  const reload = (): void => {
    // A file that is being written is read once more at the next look, since its stamp changes again.
    seen = stamp(file, current.config);
    try {
      const next = loadWebConfig(file);
      refuseOtherServer(current.config, next.config, file);
      current = next;
      seen = stamp(file, current.config);
      onLoaded(next);
    } catch (error) {
      onFailure(error instanceof AgentError ? error : new AgentError("bad_request", reasonOf(error)));
    }
  };
  const timer = setInterval(() => {
    if (stamp(file, current.config) !== seen) reload();
  }, lookEveryMs);
  timer.unref();
  return { current: () => current, reload, close: () => clearInterval(timer) };
}

/** Whether there is TLS, and whom it asks for certificates, is settled when the listener is made. */
function refuseOtherServer(before: WebConfig, next: WebConfig, file: string): void {
  const kind = ({ tls_server_config: tls }: WebConfig): string => tls?.client_auth_type ?? "no TLS";
  if (kind(before) !== kind(next))
    throw new AgentError(
      "bad_request",
      `${file}: client_auth_type changed from ${kind(before)} to ${kind(next)}: that needs a restart of the agent`,
    );
}

/** Changes with the files; links are followed, since certificates are often swapped by them. */
function stamp(file: string, { tls_server_config: tls }: WebConfig): string {
  const named = [tls?.cert_file, tls?.key_file, tls?.client_ca_file].filter((one) => one !== undefined);
  return [file, ...named.map((one) => path.resolve(path.dirname(file), one))]
    .map((one) => {
      const found = statSync(one, { throwIfNoEntry: false });
      return found === undefined ? "-" : `${found.ino} ${found.mtimeMs} ${found.size}`;
    })
    .join(",");
}
