import { parseStrings } from "./strings.ts";

/** A life's texts, of which many others have the same. */
interface SharedLife {
  name: string;
  comm: Buffer;
  cgroup: string;
}

/** Equal texts become one string: thousands of processes share a few names and cgroups. */
export function createSharedTexts() {
  let texts = new Map<string, string>();
  let names = new Map<string, Buffer>();
  let commands = new Map<string, readonly string[]>();
  const share = (text: string): string => {
    const known = texts.get(text);
    if (known !== undefined) return known;
    texts.set(text, text);
    return text;
  };
  const shareComm = (name: string, comm: Buffer): Buffer => {
    const known = names.get(name);
    // Two that are no UTF-8 can be read as one name.
    if (known?.equals(comm)) return known;
    // Copied: the bytes are the reader's, and the next read overwrites them.
    const copied = Buffer.from(comm);
    names.set(name, copied);
    return copied;
  };
  return {
    share,
    shareComm,
    /** Forked workers have one command line by the thousand. */
    shareCommand: (bytes: Buffer): readonly string[] => {
      const key = bytes.toString("latin1");
      const known = commands.get(key);
      if (known !== undefined) return known;
      const argv = parseStrings(bytes, bytes.length);
      commands.set(key, argv);
      return argv;
    },
    /** Drops those of lives that have ended, when they have become many. */
    sweep: (byPid: ReadonlyMap<number, SharedLife>): void => {
      if (commands.size > 2 * byPid.size + 1000) commands = new Map();
      if (texts.size <= 2 * byPid.size + 1000) return;
      texts = new Map();
      names = new Map();
      for (const life of byPid.values()) {
        life.name = share(life.name);
        life.comm = shareComm(life.name, life.comm);
        life.cgroup = share(life.cgroup);
      }
    },
  };
}
