/** Of CRC-32, the bits reversed (RFC 1952, 8): bit 31 is x^0. */
const polynomial = 0xedb88320;

/** What the CRC of a text has to be multiplied with when so many bytes come behind it: x^(8·bytes). */
export function shiftOf(bytes: number): number {
  let [shift, power] = [one, byte];
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = multiply(shift, power);
    power = multiply(power, power);
  }
  return shift;
}

/**
 * The CRC-32 of two texts one behind the other, of those of each: a CRC is the remainder of a polynomial, and the first
 * text stands so many powers of x higher.
 * @param shift of the second one's length
 */
export function combineCrc32(first: number, second: number, shift: number): number {
  return (multiply(first, shift) ^ second) >>> 0;
}

/** x^0 and x^8. */
const one = 0x80000000;
const byte = 0x00800000;

/** The product of two polynomials over GF(2), modulo that of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = one; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ polynomial;
  }
  return product >>> 0;
}
