import { promisify } from "node:util";
import zlib from "node:zlib";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import { joinPieces, type Piece } from "./pieces.ts";

const gzip = promisify(zlib.gzip);

/** How long a kind of body is made in advance after someone has last asked for it. */
const keepWarmMs = 5 * 60_000;

export type Encoding = "gzip" | "identity";

export interface ScrapeCacheParts {
  /** Undefined before the first scan. */
  readonly latest: () => Snapshot | undefined;
  readonly render: (snapshot: Snapshot, format: ExpositionFormat) => Promise<readonly Piece[]>;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** The bodies of /metrics: each rendered and compressed once for a snapshot, whoever asks how often. */
export interface ScrapeCache {
  /** Undefined before the first scan. */
  body(format: ExpositionFormat, encoding: Encoding): Promise<Buffer> | undefined;
  /** Makes what was asked for of late, so that it is ready when the next scrape comes. Call it after each scan. */
  warm(): Promise<void>;
}

export function createScrapeCache(parts: ScrapeCacheParts): ScrapeCache {
  const rendered = new Map<ExpositionFormat, { snapshot: Snapshot; pieces: Promise<readonly Piece[]> }>();
  const bodies = new Map<string, { snapshot: Snapshot; body: Promise<Buffer> }>();
  const askedAt = new Map<string, { format: ExpositionFormat; encoding: Encoding; at: number }>();
  const piecesOf = (snapshot: Snapshot, format: ExpositionFormat): Promise<readonly Piece[]> => {
    const known = rendered.get(format);
    if (known?.snapshot === snapshot) return known.pieces;
    const pieces = parts.render(snapshot, format);
    rendered.set(format, { snapshot, pieces });
    return pieces;
  };
  const bodyOf = (snapshot: Snapshot, format: ExpositionFormat, encoding: Encoding): Promise<Buffer> => {
    const key = `${format} ${encoding}`;
    const known = bodies.get(key);
    if (known?.snapshot === snapshot) return known.body;
    // Level 1: the higher ones cost several times as much and save a few percent. Compressing each piece once and joining
    // them costs more than all at once: setting up the compressor is most of it.
    const body =
      encoding === "identity"
        ? piecesOf(snapshot, format).then(joinPieces)
        : bodyOf(snapshot, format, "identity").then((plain) => gzip(plain, { level: 1 }));
    bodies.set(key, { snapshot, body });
    return body;
  };
  return {
    body: (format, encoding) => {
      const snapshot = parts.latest();
      askedAt.set(`${format} ${encoding}`, { format, encoding, at: parts.monotonicMs() });
      return snapshot && bodyOf(snapshot, format, encoding);
    },
    warm: async () => {
      const snapshot = parts.latest();
      if (snapshot === undefined) return;
      for (const [key, { format, encoding, at }] of askedAt) {
        if (parts.monotonicMs() - at > keepWarmMs) {
          askedAt.delete(key);
          bodies.delete(key);
        } else await bodyOf(snapshot, format, encoding);
      }
    },
  };
}
