const units: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 };

/**
 * Reads a size: `16MiB`, `64KiB`, `1GiB`; a bare number is bytes.
 * @returns bytes
 * @throws Error that names the text
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,12})(B|KiB|MiB|GiB)?$/.exec(text);
  const unit = units[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new Error(`"${text}" is not a size like 16MiB or 4096`);
  return Number(match[1]) * unit;
}
