import type { ConfiguredWebParts } from "./assemble-configured-web.ts";
import type { Config } from "./config.ts";
import { hasUsers } from "./http/access/known-users.ts";
import type { LoadedWebConfig } from "./http/access/web-config-file.ts";
import { createReadAccess } from "./http/actor.ts";
import { createApp } from "./http/app.ts";
import { type Listener, listenTcp } from "./http/servers.ts";
import { isLoopback } from "./loopback.ts";

/**
 * The web configuration as it is now; undefined: there is none.
 * @throws AgentError `bad_request` with its file and line
 */
export async function readWebConfig({ webConfigFile }: Config): Promise<LoadedWebConfig | undefined> {
  if (webConfigFile === undefined) return undefined;
  // YAML, its schema and the check of passwords are two megabytes, which only those who have a file pay.
  const { loadWebConfig } = await import("./http/access/web-config-file.ts");
  return loadWebConfig(webConfigFile);
}

/**
 * Listens on TCP: for all who reach it to read, or as the web configuration has it, which is read anew when it changes
 * and on SIGHUP.
 * @throws AgentError `unavailable` for the address
 */
export async function listenWeb(
  config: Config,
  loaded: LoadedWebConfig | undefined,
  parts: ConfiguredWebParts,
): Promise<Listener> {
  const { host, port } = config.webListenAddress;
  if (config.webConfigFile === undefined || loaded === undefined)
    return listenTcp(createApp(parts.app, createReadAccess()), host, port);
  const { listenByConfig } = await import("./assemble-configured-web.ts");
  return listenByConfig(config, config.webConfigFile, loaded, parts);
}

/** What is open over TCP that should not be, in words. */
export function describeExposure(
  { webListenAddress: { host } }: Config,
  loaded: LoadedWebConfig | undefined,
): readonly string[] {
  if (isLoopback(host)) return [];
  const isTls = loaded?.tls !== undefined;
  if (loaded === undefined || !hasUsers(loaded.config)) {
    const who = isTls ? "everybody whom TLS lets in" : "everybody who reaches it";
    return [
      `HTTP listens on ${host === "" ? "all addresses" : host} without users: ${who} may read every process and command line`,
    ];
  }
  return isTls
    ? []
    : ["passwords and tokens cross the network in the clear: the web configuration has no tls_server_config"];
}
