/** What stands between blanks; none for a blank line. */
export function fieldsOf(line: string): readonly string[] {
  const trimmed = line.trim();
  return trimmed === "" ? [] : trimmed.split(/\s+/);
}

/** A decimal number; undefined for anything else. Beyond 2^53 the last digits are lost. */
export function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** A hexadecimal number without a prefix; undefined for anything else. */
export function hexadecimal(text: string | undefined): number | undefined {
  return text !== undefined && /^[\da-fA-F]+$/.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** The number that is all of a file. */
export function parseNumber(text: string): number | undefined {
  return decimal(text.trim());
}
