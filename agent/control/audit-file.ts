import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { reasonOf, systemCode } from "../errors.ts";

/** A file of lines that only grows, with its predecessors `FILE.1` (the youngest) to `FILE.KEEP`. */
export interface AuditFile {
  readonly path: string;
  /**
   * Appends one line; it is on the disk when the promise resolves, and nothing of it is in the file when that rejects.
   * @throws the system's error: ENOSPC, EACCES, ELOOP for a link in the file's place, …
   */
  append(line: string): Promise<void>;
  /** The lines of all files, the last one first, as they are at the call. Lines without an end may be among them. */
  linesBackwards(): AsyncGenerator<string>;
}

export interface AuditFileParts {
  readonly path: string;
  /** The file is put aside before it grows beyond this many bytes; a longer line stands alone. */
  readonly maxBytes: number;
  /** How many files that were put aside are kept, from 1. */
  readonly keep: number;
  readonly log: { readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void };
}

export function createAuditFile({ path, maxBytes, keep, log }: AuditFileParts): AuditFile {
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: lines do not mix, and nobody opens files while they are renamed. */
  const inTurn = <T>(job: () => Promise<T>): Promise<T> => {
    const turn = last.then(job);
    // Its failure is its caller's; the next job runs all the same.
    last = turn.catch(() => undefined);
    return turn;
  };
  const append = async (line: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    const bytes = Buffer.from(`${line}\n`);
    const size = await appendTo(path, bytes, maxBytes);
    if (size === undefined) return;
    try {
      await rotate(path, keep);
    } catch (error) {
      // Better a file that is too long than none.
      log.warn("the audit file cannot be rotated", { file: path, reason: reasonOf(error) });
    }
    await appendTo(path, bytes, Number.POSITIVE_INFINITY);
  };
  return {
    path,
    append: (line) => inTurn(() => append(line)),
    linesBackwards: async function* () {
      const handles = await inTurn(() => openAll(path));
      try {
        for (const handle of handles) yield* linesOf(handle);
      } finally {
        for (const handle of handles) await handle.close();
      }
    },
  };
}

/** @returns undefined when it is done; the file's size when it has to be rotated first */
async function appendTo(path: string, bytes: Buffer, maxBytes: number): Promise<number | undefined> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(path, flags, 0o640);
  try {
    const stats = await handle.stat();
    const { size } = stats;
    if (stats.isFile() && size > 0 && size + bytes.length > maxBytes) return size;
    const whole = (await endsInMidLine(handle, size)) ? Buffer.concat([newline, bytes]) : bytes;
    await writeWhole(handle, whole, size);
    // A new file's name is on the disk only when its folder is (fsync(2)).
    if (size === 0) await syncFolder(dirname(path));
    return undefined;
  } finally {
    await handle.close();
  }
}

const newline = Buffer.from("\n");

/** A crash can leave half a line: the next record must not become its end. */
async function endsInMidLine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== newline[0];
}

async function writeWhole(handle: FileHandle, bytes: Buffer, sizeBefore: number): Promise<void> {
  let written = 0;
  try {
    while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten;
    await handle.datasync();
  } catch (error) {
    await takeBack(handle, sizeBefore, written);
    throw error;
  }
}

/** Removes what a failed call has written: a full disk takes the beginning of a line. */
async function takeBack(handle: FileHandle, sizeBefore: number, written: number): Promise<void> {
  try {
    const { size } = await handle.stat();
    // Nothing that somebody else has appended meanwhile.
    if (size === sizeBefore + written) await handle.truncate(sizeBefore);
  } catch (error) {
    // What stays is half a line, which the next append ends and readers leave out. The caller's error is the telling one.
    if (systemCode(error) === undefined) throw error;
  }
}

/**
 * Puts the file aside: FILE.1 becomes FILE.2 and so on, the highest number first, so that a crash between two steps
 * leaves a gap and loses nothing. A gap is filled by the next rotation before anything is overwritten.
 */
async function rotate(path: string, keep: number): Promise<void> {
  const numbers = new Set(await rotatedNumbers(path));
  for (const number of numbers) if (number > keep) await unlink(`${path}.${number}`);
  let free = 1;
  while (free < keep && numbers.has(free)) free++;
  for (let number = free - 1; number >= 1; number--)
    await rename(`${path}.${number}`, `${path}.${number + 1}`);
  await rename(path, `${path}.1`);
  await syncFolder(dirname(path));
}

/** Ascending: the youngest first. */
async function rotatedNumbers(path: string): Promise<readonly number[]> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  return names
    .flatMap((name) => {
      const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      return /^[1-9]\d{0,5}$/.test(suffix) ? [Number(suffix)] : [];
    })
    .sort((a, b) => a - b);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** All files, the youngest first. */
async function openAll(path: string): Promise<readonly FileHandle[]> {
  const handles: FileHandle[] = [];
  try {
    const numbers = await rotatedNumbers(path);
    for (const one of [
      path,
      ...numbers.map((number) => join(dirname(path), `${basename(path)}.${number}`)),
    ]) {
      const handle = await openIfThere(one);
      if (handle !== undefined) handles.push(handle);
    }
    return handles;
  } catch (error) {
    for (const handle of handles) await handle.close();
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // Right after a rotation that a crash has cut off.
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

const chunkBytes = 64 * 1024;
/** No record is so long: what is, is dropped instead of being gathered. */
const longestLine = 16 << 20;

async function* linesOf(handle: FileHandle): AsyncGenerator<string> {
  let { size: at } = await handle.stat();
  /** The end of a line whose beginning has not been read yet. */
  let rest: Buffer = Buffer.alloc(0);
  while (at > 0) {
    const length = Math.min(chunkBytes, at);
    at -= length;
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
    const bytes = Buffer.concat([buffer.subarray(0, bytesRead), rest]);
    const first = bytes.indexOf(newline);
    rest = first === -1 ? bytes : bytes.subarray(0, first);
    if (rest.length > longestLine) rest = Buffer.alloc(0);
    if (first !== -1)
      yield* bytes
        .toString("utf8", first + 1)
        .split("\n")
        .reverse();
  }
  yield rest.toString("utf8");
}
