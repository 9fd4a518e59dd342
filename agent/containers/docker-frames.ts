// 01 00 00 00 00 00 00 03 h i \n | 02 00 00 00 00 00 00 04 e r r \n | …
import type { OutputPiece } from "./runtime.ts";

/** Hands over what is in a chunk of the engine's stream. Bytes are views of the chunk, valid as long as that is. */
export type FrameParser = (chunk: Buffer, take: (piece: OutputPiece) => void) => void;

const headerBytes = 8;
/** Byte 0 of a header. Docker writes input echoed back as 0 and its own faults as 3. */
const sources: readonly OutputPiece["from"][] = ["stdout", "stdout", "stderr", "stderr"];

/**
 * Takes apart the stream of a command without a terminal (Docker Engine API, "Attach to a container", stream format):
 * frames of a header and a payload. A header may come in two chunks; a payload comes as it comes, and is never put
 * together, so that a frame of any length costs nothing.
 * @throws Error for a header that names no stream: what follows cannot be told apart any more
 */
export function createFrameParser(): FrameParser {
  const header = Buffer.alloc(headerBytes);
  let inHeader = 0;
  let left = 0;
  let from: OutputPiece["from"] = "stdout";
  return (chunk, take) => {
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const bytes = chunk.subarray(at, at + left);
        at += bytes.length;
        left -= bytes.length;
        take({ from, bytes });
        continue;
      }
      const copied = chunk.copy(header, inHeader, at, at + headerBytes - inHeader);
      at += copied;
      inHeader += copied;
      if (inHeader < headerBytes) return;
      inHeader = 0;
      const source = sources[header[0] ?? -1];
      if (source === undefined)
        throw new Error(`the engine's stream has a frame that begins with ${header.toString("hex")}`);
      from = source;
      left = header.readUInt32BE(4);
    }
  };
}
