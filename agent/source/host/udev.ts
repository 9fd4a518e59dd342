// /run/udev/data/b254:0:
// S:disk/by-uuid/23c9
// E:ID_FS_TYPE=ext4
// E:ID_SERIAL_SHORT=S3Z8NB0K

/** The properties that udev keeps of a device (udevadm(8), "E:"). */
export function parseUdevProperties(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (line.startsWith("E:") && at > 2) found.set(line.slice(2, at), line.slice(at + 1));
  }
  return found;
}
