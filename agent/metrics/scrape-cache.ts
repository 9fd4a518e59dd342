import type { MetricGroup } from "../metric-choice.ts";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import { createPieceGzip } from "./gzip-pieces.ts";
import { joinPieces, type Piece } from "./pieces.ts";

/** How long a kind of body is made in advance after someone has last asked for it. */
const keepWarmMs = 5 * 60_000;
/** A scraper that comes earlier than its rhythm by this share of it still finds its body ready. */
const earlyShare = 0.1;
/** One that has missed its turn so often is not waited for: what it asks for is made when it comes back. */
const missedTurns = 5;

/** What is asked for: one group of families, or all that are on. */
export type ScrapeTarget = MetricGroup | "all";

export type Encoding = "gzip" | "identity";

export interface ScrapeCacheParts {
  /** Undefined before the first scan. */
  readonly latest: () => Snapshot | undefined;
  readonly render: (
    target: ScrapeTarget,
    snapshot: Snapshot,
    format: ExpositionFormat,
  ) => Promise<readonly Piece[]>;
  /** Milliseconds from one scan to the next. */
  readonly scanIntervalMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** The bodies of /metrics: each rendered and compressed once for a snapshot, whoever asks how often. */
export interface ScrapeCache {
  /** Undefined before the first scan. */
  body(target: ScrapeTarget, format: ExpositionFormat, encoding: Encoding): Promise<Buffer> | undefined;
  /**
   * Makes what was asked for of late, so that it is ready when the next scrape comes: those of one who comes every
   * fifteen seconds not for each scan, but when it is about time. Call it after each scan.
   */
  warm(): Promise<void>;
}

interface Asked {
  readonly target: ScrapeTarget;
  readonly format: ExpositionFormat;
  readonly encoding: Encoding;
  readonly at: number;
  /** Since the time before; 0: it was the first. */
  readonly everyMs: number;
}

/** Something made of a snapshot, or still being made. */
interface Made<T> {
  readonly snapshot: Snapshot;
  readonly value: Promise<T>;
  isUnderWay: boolean;
}

/**
 * What was made of this snapshot. What is under way is given too, though it be of the one before: on a host where making
 * takes longer than from one scan to the next, they would pile up.
 */
function usable<T>(made: Made<T> | undefined, snapshot: Snapshot): Made<T> | undefined {
  return made !== undefined && (made.snapshot === snapshot || made.isUnderWay) ? made : undefined;
}

function make<T>(snapshot: Snapshot, value: Promise<T>): Made<T> {
  const made = { snapshot, value, isUnderWay: true };
  const end = (): void => {
    made.isUnderWay = false;
  };
  value.then(end, end);
  return made;
}

export function createScrapeCache(parts: ScrapeCacheParts): ScrapeCache {
  const rendered = new Map<string, Made<readonly Piece[]>>();
  const bodies = new Map<string, Made<Buffer>>();
  const asked = new Map<string, Asked>();
  const gzip = createPieceGzip(parts.monotonicMs);
  const piecesOf = (target: ScrapeTarget, snapshot: Snapshot, format: ExpositionFormat) => {
    const key = `${target} ${format}`;
    const made =
      usable(rendered.get(key), snapshot) ?? make(snapshot, parts.render(target, snapshot, format));
    rendered.set(key, made);
    return made;
  };
  const madeBody = (
    target: ScrapeTarget,
    snapshot: Snapshot,
    format: ExpositionFormat,
    encoding: Encoding,
  ): Made<Buffer> => {
    const key = `${target} ${format} ${encoding}`;
    const known = usable(bodies.get(key), snapshot);
    if (known !== undefined) return known;
    const pieces = piecesOf(target, snapshot, format);
    const made = make(pieces.snapshot, pieces.value.then(encoding === "gzip" ? gzip : joinPieces));
    bodies.set(key, made);
    return made;
  };
  const bodyOf = (...of: Parameters<typeof madeBody>): Promise<Buffer> => madeBody(...of).value;
  /** Whether the next scrape may come before the next scan. */
  const isDue = ({ at, everyMs }: Asked): boolean => {
    const since = parts.monotonicMs() - at;
    const isGone = everyMs > 0 && since > missedTurns * Math.max(everyMs, parts.scanIntervalMs);
    return !isGone && since + 2 * parts.scanIntervalMs >= everyMs * (1 - earlyShare);
  };
  return {
    body: (target, format, encoding) => {
      const snapshot = parts.latest();
      const key = `${target} ${format} ${encoding}`;
      const at = parts.monotonicMs();
      const before = asked.get(key);
      asked.set(key, { target, format, encoding, at, everyMs: before === undefined ? 0 : at - before.at });
      return snapshot && bodyOf(target, snapshot, format, encoding);
    },
    warm: async () => {
      const snapshot = parts.latest();
      if (snapshot === undefined) return;
      for (const [key, one] of asked) {
        if (parts.monotonicMs() - one.at > keepWarmMs) {
          asked.delete(key);
          bodies.delete(key);
          rendered.delete(`${one.target} ${one.format}`);
        } else if (isDue(one)) await bodyOf(one.target, snapshot, one.format, one.encoding);
      }
    },
  };
}
