const zero = 48;
const nine = 57;
const minus = 45;
const newline = 10;

/** The value of the decimal number that begins at `from`, NaN when there is none. Makes no string. */
export function numberAt(bytes: Uint8Array, from: number, end: number): number {
  const negative = bytes[from] === minus;
  let at = negative ? from + 1 : from;
  const first = at;
  let value = 0;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < zero || byte > nine) break;
    value = value * 10 + (byte - zero);
  }
  if (at === first) return Number.NaN;
  return negative ? -value : value;
}

/** Where the line that begins at `from` ends: at its line break, or at `length`. */
export function lineEnd(bytes: Uint8Array, from: number, length: number): number {
  // A loop: a call of Buffer.indexOf costs more than a line's few bytes.
  let end = from;
  while (end < length && bytes[end] !== newline) end++;
  return end;
}

/** The first position from `from` on that is neither blank nor tab. */
export function skipBlanks(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at++;
  return at;
}

/** Behind a column and the blanks that follow it. */
export function skipColumn(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== 32 && bytes[at] !== 9) at++;
  return skipBlanks(bytes, at, end);
}

/** Whether the bytes at `from` are those of the word (ASCII). */
export function startsWith(bytes: Uint8Array, from: number, end: number, word: string): boolean {
  if (from + word.length > end) return false;
  for (let index = 0; index < word.length; index++) {
    if (bytes[from + index] !== word.charCodeAt(index)) return false;
  }
  return true;
}
