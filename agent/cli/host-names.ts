/** Of hosts and of groups of them. */
export const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Whether a text is an address and no name. */
export function isAddress(text: string): boolean {
  return text.includes("://");
}
