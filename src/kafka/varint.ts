/** Zigzag varints of numbers up to 30 bits that are not negative. Source: Kafka's documentation, "Message Format". */

/** The size of the number. */
export function varintBytes(value: number): number {
  if (value < 0x40) return 1
  if (value < 0x2000) return 2
  if (value < 0x10_0000) return 3
  return value < 0x800_0000 ? 4 : 5
}

/** Writes the number, and returns where it ends. */
export function writeVarint(into: Buffer, from: number, value: number): number {
  let at = from
  let rest = value * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) into[at++] = (rest % 0x80) + 0x80
  into[at++] = rest
  return at
}
