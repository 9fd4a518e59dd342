/** Text of a container, fit to be shown: without control characters and no longer than `maxLength`. */
export function plainText(text: string, maxLength: number): string {
  const plain = text
    .slice(0, maxLength)
    .replace(/\p{Cc}+/gu, " ")
    .trim();
  return text.length > maxLength ? `${plain.slice(0, maxLength - 1)}…` : plain;
}

const longestName = 255;

/** Whether a container's name for a program can be shown, selected by and handed on as it is. */
export function isPlainName(name: string): boolean {
  return name.length > 0 && name.length <= longestName && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
}
