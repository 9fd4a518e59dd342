import type { WebConfig } from "./web-config.ts";

/** Whether somebody can be known by a name and a secret. */
export function hasUsers(config: WebConfig): boolean {
  return (
    Object.keys(config.basic_auth_users).length > 0 ||
    config.pidward_roles.some(({ token_sha256: token }) => token !== undefined)
  );
}
