import { createHmac, randomBytes } from "node:crypto";
import bcrypt from "bcrypt";
import { AgentError } from "../../errors.ts";

/** Outcomes that are remembered, since a comparison takes a tenth of a second; as many as exporter-toolkit remembers. */
const mostRemembered = 100;
/** Comparisons under way: the threads that make them also read files and compress. */
const mostAtOnce = 2;
const mostWaiting = 32;
/** What stands behind the cost in the hash of a password that is nowhere. */
const nobody = "Q99wqCtA31ExHzQUU7Zh0Oj4ZMXJOBet7pzJPzhUcELtIqzDH2QZG";

/**
 * @param hashes of bcrypt, by user
 * @throws AgentError `unavailable` when too many wait for their comparison
 */
export type CheckPassword = (
  user: string,
  password: string,
  hashes: Readonly<Record<string, string>>,
) => Promise<boolean>;

/** Compares passwords with bcrypt hashes in Node's thread pool; the main loop goes on. */
export function createPasswordCheck(): CheckPassword {
  const key = randomBytes(32);
  const remembered = new Map<string, Promise<boolean>>();
  let underWay = 0;
  const waiting: (() => void)[] = [];

  const compare = async (password: string, hash: string): Promise<boolean> => {
    if (underWay >= mostAtOnce) {
      if (waiting.length >= mostWaiting)
        throw new AgentError("unavailable", "too many passwords wait to be checked; try again in a second");
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else underWay++;
    try {
      // The same algorithm; PHP and htpasswd write another letter.
      return await bcrypt.compare(password, hash.replace(/^\$2y\$/, "$2b$"));
    } finally {
      const next = waiting.shift();
      if (next === undefined) underWay--;
      else next();
    }
  };
  return async (user, password, hashes) => {
    const hash = Object.hasOwn(hashes, user) ? hashes[user] : undefined;
    const id = createHmac("sha256", key)
      .update(JSON.stringify([user, password, hash ?? null]))
      .digest("base64");
    const known = remembered.get(id);
    if (known !== undefined) return known;
    const result = compare(password, hash ?? strangerHash(user, hashes, key)).then(
      (isSame) => isSame && hash !== undefined,
    );
    remembered.set(id, result);
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value ?? "");
    // What could not be compared is no outcome.
    result.catch(() => remembered.delete(id));
    return result;
  };
}

/**
 * Compared with for a user that is not there, so that the answer comes neither faster nor slower: it costs what a user's costs,
 * always the same one's for the same name.
 */
function strangerHash(user: string, hashes: Readonly<Record<string, string>>, key: Buffer): string {
  const all = Object.values(hashes);
  const pick = createHmac("sha256", key).update(user).digest().readUInt32BE() % Math.max(1, all.length);
  const [, , cost = "10"] = all[pick]?.split("$") ?? [];
  return `$2b$${cost}$${nobody}`;
}
