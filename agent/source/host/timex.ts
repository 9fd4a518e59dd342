// struct timex of adjtimex(2), include/uapi/linux/timex.h, on 64 bits: each figure has eight bytes, of which an int
// uses the first four, as the calling convention aligns them.

/** Bytes of the structure. */
export const timexBytes = 208;

/** TIME_ERROR: what adjtimex(2) gives for a clock that nothing keeps in step. */
export const clockUnsynchronized = 5;

/** STA_NANO: `offset` and `jitter` are in nanoseconds, else in microseconds. */
export const statusNanoseconds = 0x2000;

/** The fields in their order; `int` where only four bytes count. */
const layout = [
  ["modes", "int"],
  ["offset", "long"],
  ["freq", "long"],
  ["maxerror", "long"],
  ["esterror", "long"],
  ["status", "int"],
  ["constant", "long"],
  ["precision", "long"],
  ["tolerance", "long"],
  ["seconds", "long"],
  ["microseconds", "long"],
  ["tick", "long"],
  ["ppsfreq", "long"],
  ["jitter", "long"],
  ["shift", "int"],
  ["stabil", "long"],
  ["jitcnt", "long"],
  ["calcnt", "long"],
  ["errcnt", "long"],
  ["stbcnt", "long"],
  ["tai", "int"],
] as const;

/** As the kernel has them; the manual page tells the units. */
export type Timex = Readonly<Record<(typeof layout)[number][0], number>>;

/** @returns undefined when there are too few bytes */
export function parseTimex(bytes: Uint8Array): Timex | undefined {
  if (bytes.length < layout.length * 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Object.fromEntries(
    layout.map(([name, kind], index) => [
      name,
      kind === "int" ? view.getInt32(index * 8, true) : Number(view.getBigInt64(index * 8, true)),
    ]),
  ) as Timex;
}
