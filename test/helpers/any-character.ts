import fc from 'fast-check'

const SURROGATES = 0x800

/**
 * Any character of Unicode, as text. fast-check's own unit "binary" is the same, but it first builds a table of all
 * 1,112,064 characters.
 */
export const anyCharacter: fc.Arbitrary<string> = fc.nat(0x10_ffff - SURROGATES).map(fromNumber, toNumber)

function fromNumber(number: number): string {
  return String.fromCodePoint(number < 0xd800 ? number : number + SURROGATES)
}

function toNumber(text: unknown): number {
  const code = typeof text === 'string' ? text.codePointAt(0) : undefined
  if (code === undefined || String.fromCodePoint(code) !== text) throw new Error('not one character')
  return code < 0xd800 ? code : code - SURROGATES
}
