import type { TLSSocket } from "node:tls";
import type { Config } from "./config.ts";
import { refuseCertificate } from "./http/access/tls-options.ts";
import { createWebAccess } from "./http/access/web-access.ts";
import { type LoadedWebConfig, watchWebConfig } from "./http/access/web-config-file.ts";
import { createApp } from "./http/app.ts";
import { createAttachDoor } from "./http/attach.ts";
import type { AppParts } from "./http/parts.ts";
import { type Listener, listenTcp, type TcpListener } from "./http/servers.ts";
import type { Logger } from "./log.ts";

export interface ConfiguredWebParts {
  readonly app: AppParts;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Is told whether the configuration that was read last can be used. */
  readonly onConfig: (isGood: boolean) => void;
}

/**
 * Listens on TCP as the web configuration has it, which is read anew when it changes and on SIGHUP.
 * @throws AgentError `unavailable` for the address
 */
export async function listenByConfig(
  { webListenAddress: { host, port } }: Config,
  file: string,
  loaded: LoadedWebConfig,
  { app, log, monotonicMs, onConfig }: ConfiguredWebParts,
): Promise<Listener> {
  let listener: TcpListener | undefined;
  const watch = watchWebConfig(file, loaded, {
    onLoaded: ({ tls }) => {
      if (tls !== undefined) listener?.setContext(tls);
      onConfig(true);
      log.info("the web configuration was read again", { file });
    },
    onFailure: (error) => {
      onConfig(false);
      log.error("the web configuration cannot be used; the one before stays", { reason: error.message });
    },
  });
  onConfig(true);
  const access = createWebAccess(() => watch.current().config, monotonicMs);
  const door = createAttachDoor(app, access);
  const { tls, config: web } = loaded;
  const listening = tls && {
    context: tls,
    requestCert: web.tls_server_config?.client_auth_type !== "NoClientCert",
    refuse: (socket: TLSSocket) => {
      const policy = watch.current().config.tls_server_config;
      return policy && refuseCertificate(socket, policy);
    },
    log,
  };
  try {
    listener = await listenTcp(createApp(app, access), host, port, door.upgrade, listening);
  } catch (error) {
    watch.close();
    throw error;
  }
  const { address, close } = listener;
  process.on("SIGHUP", watch.reload);
  return {
    address: `${tls === undefined ? "" : "https://"}${address}`,
    close: async (graceMs) => {
      process.off("SIGHUP", watch.reload);
      watch.close();
      await door.close();
      await close(graceMs);
    },
  };
}
