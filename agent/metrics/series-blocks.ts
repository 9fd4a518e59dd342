import type { SubjectFamily } from "./families.ts";
import { labelText, numberText } from "./label-text.ts";
import { createPiece, type Piece } from "./pieces.ts";

/** Series of one piece, about: what changes with one of them is rendered and compressed anew with all of them. */
const seriesOfBlock = 512;

/** A subject with the text of its labels, which is the same string while they are the same. */
export interface Labelled<S> {
  readonly subject: S;
  readonly text: string;
}

export interface Rendered {
  readonly pieces: readonly Piece[];
  readonly written: number;
  /** Series beyond `most`. */
  readonly dropped: number;
}

/** The series of one family. Most figures are the same in the next rendering, and so are the pieces that hold them. */
export interface SeriesBlocks<S> {
  /** @param most series that may be written */
  render(subjects: readonly Labelled<S>[], most: number): Rendered;
}

export function createSeriesBlocks<S>(family: SubjectFamily<S>): SeriesBlocks<S> {
  const width = Math.max(1, Math.floor(seriesOfBlock / Math.max(1, family.readings.length)));
  const blocks: Block<S>[] = [];
  return {
    render: (subjects, most) => {
      const pieces: Piece[] = [];
      let written = 0;
      let dropped = 0;
      let count = 0;
      for (let from = 0; from < subjects.length; from += width) {
        blocks[count] ??= createBlock(family);
        const rendered = blocks[count++]?.render(subjects.slice(from, from + width), most - written);
        if (rendered === undefined) continue;
        pieces.push(...rendered.pieces);
        written += rendered.written;
        dropped += rendered.dropped;
      }
      blocks.length = count;
      return { pieces, written, dropped };
    },
  };
}

type Block<S> = SeriesBlocks<S>;

function createBlock<S>(family: SubjectFamily<S>): Block<S> {
  // A family whose labels are all the subject's own has readings without values.
  const own = family.readings.map(({ values }) =>
    values.length === 0 ? "" : labelText(family.labels, values),
  );
  let texts: readonly string[] = [];
  /** The line of each series up to its value. */
  let prefixes: readonly string[] = [];
  let isAscii = true;
  let values = new Float64Array(0);
  let last: (Rendered & { readonly most: number }) | undefined;

  const relabel = (subjects: readonly Labelled<S>[]): void => {
    texts = subjects.map(({ text }) => text);
    prefixes = texts.flatMap((text) => own.map((label) => `${family.name}${braced(text, label)} `));
    isAscii = prefixes.every((prefix) => /^[\0-\x7f]*$/.test(prefix));
    values = new Float64Array(prefixes.length).fill(Number.NaN);
    last = undefined;
  };
  const revalue = (subjects: readonly Labelled<S>[]): boolean => {
    let isSame = true;
    let at = 0;
    for (const { subject } of subjects) {
      for (const { read } of family.readings) {
        const value = read(subject);
        // Two NaN are the same figure here: none.
        if (!Object.is(values[at], value)) {
          values[at] = value;
          isSame = false;
        }
        at++;
      }
    }
    return isSame;
  };
  return {
    render: (subjects, most) => {
      const isLabelled =
        texts.length === subjects.length && subjects.every(({ text }, index) => text === texts[index]);
      if (!isLabelled) relabel(subjects);
      const isSame = revalue(subjects);
      // A limit that was not reached does not matter.
      const isFree = last !== undefined && last.dropped === 0 && last.written <= most;
      if (isSame && last !== undefined && (last.most === most || isFree)) return last;
      let text = "";
      let written = 0;
      let dropped = 0;
      for (let at = 0; at < prefixes.length; at++) {
        const value = values[at] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        if (written >= most) dropped++;
        else {
          written++;
          text += `${prefixes[at]}${numberText(value)}\n`;
        }
      }
      last = { pieces: text === "" ? [] : [createPiece(text, isAscii)], written, dropped, most };
      return last;
    },
  };
}

function braced(text: string, label: string): string {
  const inside = text === "" || label === "" ? text + label : `${text},${label}`;
  return inside === "" ? "" : `{${inside}}`;
}
