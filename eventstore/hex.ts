/** Numbers as hex digits of a fixed count, and back; several are written with each event. */

const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Two digits; `byte` is a whole number below 256. */
export const hexByte = (byte: number): string => BYTES[byte] as string

/** The number that the first eight characters of a text stand for; -1 if they are no hex digits in lower case. */
export const wordOfHex = (text: string): number => {
  let word = 0
  for (let at = 0; at < 8; at += 1) {
    const code = text.charCodeAt(at)
    const digit = code <= 57 ? code - 48 : code - 87
    if (!(digit >= 0 && digit < 16 && (code <= 57 || digit >= 10))) return -1
    word = word * 16 + digit
  }
  return word
}

/** Eight digits; `word` is a whole number below 2 ** 32. */
export const hexWord = (word: number): string =>
  hexByte(word >>> 24) + hexByte((word >>> 16) & 0xff) + hexByte((word >>> 8) & 0xff) + hexByte(word & 0xff)
