// Writes what the kernel unpacks as its first root (Documentation/driver-api/early-userspace/buffer-format.rst): for each
// file `070701`, thirteen numbers of eight hexadecimal digits, its name and NUL, its bytes; each part filled to four bytes.
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import path from "node:path";

const folderMode = 0o040755;
const fileMode = 0o100000;

/**
 * Made here because cpio(1) takes names as they are on this machine, and the guest wants most of them elsewhere.
 * Symbolic links are followed: each becomes what it leads to.
 */
export function createArchive(file) {
  const fd = openSync(file, "w");
  const folders = new Set(["."]);
  let entries = 0;

  const writePadded = (bytes) => {
    writeSync(fd, bytes);
    if (bytes.length % 4 !== 0) writeSync(fd, Buffer.alloc(4 - (bytes.length % 4)));
  };
  const write = (name, mode, bytes) => {
    // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), length of the name, checksum
    const numbers = [++entries, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0];
    const hex = numbers.map((number) => number.toString(16).padStart(8, "0")).join("");
    writePadded(Buffer.from(`070701${hex}${name}\0`));
    writePadded(bytes);
  };

  const addFolder = (name) => {
    if (folders.has(name)) return;
    // The kernel makes no folder by itself.
    addFolder(path.dirname(name));
    folders.add(name);
    write(name, folderMode, Buffer.alloc(0));
  };
  const addText = (name, text, permissions = 0o644) => {
    addFolder(path.dirname(name));
    write(name, fileMode | permissions, Buffer.from(text));
  };
  const addFile = (name, source) => {
    addFolder(path.dirname(name));
    write(name, fileMode | (statSync(source).mode & 0o777), readFileSync(source));
  };
  /** @param leftOut what is not taken, by its name in the archive; a folder with all that is below it */
  const addTree = (name, source, leftOut = /^$/) => {
    addFolder(name);
    for (const entry of readdirSync(source)) {
      const [from, to] = [path.join(source, entry), path.join(name, entry)];
      if (leftOut.test(to)) continue;
      const stat = statSync(from, { throwIfNoEntry: false });
      if (stat?.isDirectory()) addTree(to, from, leftOut);
      else if (stat?.isFile()) addFile(to, from);
    }
  };
  const close = () => {
    write("TRAILER!!!", 0, Buffer.alloc(0));
    closeSync(fd);
  };
  return { addFolder, addText, addFile, addTree, close };
}
