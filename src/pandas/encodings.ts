/**
 * The encodings that are read without Python. Tables of Node and Python differ in single characters, so these are only those
 * of which a test proves that both make the same text of the same bytes, or none.
 */

/** The label of TextDecoder, except for `latin-1`: that label means Windows-1252 there. */
export type InputEncoding = string

/** Python's names (encodings.aliases), in small letters and with underscores only, by label. */
const NAMES: Readonly<Record<InputEncoding, readonly string[]>> = {
  'latin-1': ['latin_1', 'latin1', 'latin', 'l1', 'iso_8859_1', 'iso8859_1', 'iso88591', '8859', 'cp819', 'iso_ir_100'],
  'utf-16': ['utf_16', 'utf16', 'u16'],
  'utf-16le': ['utf_16_le', 'utf_16le'],
  'utf-16be': ['utf_16_be', 'utf_16be'],
  macintosh: ['mac_roman', 'macroman', 'macintosh'],
  'x-mac-cyrillic': ['mac_cyrillic', 'maccyrillic'],
  ibm866: ['cp866', 'ibm866', '866'],
  'koi8-r': ['koi8_r', 'cskoi8r'],
}
const WINDOWS = [1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258]
const ISO_8859 = [2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16]

const LABELS: ReadonlyMap<string, InputEncoding> = new Map([
  ...Object.entries(NAMES).flatMap(([label, names]) => names.map(name => [name, label] as const)),
  ...WINDOWS.flatMap(page =>
    [`cp${page}`, `windows_${page}`, `${page}`].map(name => [name, `windows-${page}`] as const),
  ),
  ...ISO_8859.flatMap(part => [`iso8859_${part}`, `iso_8859_${part}`].map(name => [name, `iso-8859-${part}`] as const)),
])

/** Bytes that Windows leaves undefined. Python refuses them, and TextDecoder makes these characters of them. */
const UNDEFINED = /[\u0080-\u009f]/
const UNDEFINED_IN_HEBREW = /[\u0080-\u009f\u05ba]/

/** How to read text in an encoding of Python. Null: it is not read. */
export function textEncoding(name: unknown): { signature: boolean; encoding: InputEncoding | null } | null {
  const plain = typeof name === 'string' ? name.toLowerCase().replace(/[-. ]/g, '_') : ''
  if (['utf_8', 'utf8', 'u8'].includes(plain)) return { signature: false, encoding: null }
  if (plain === 'utf_8_sig') return { signature: true, encoding: null }
  const encoding = LABELS.get(plain)
  return encoding === undefined ? null : { signature: false, encoding }
}

/** The characters that stand for bytes that Python refuses, or null: there are none. */
export function undefinedIn(encoding: InputEncoding): RegExp | null {
  if (encoding === 'windows-1255') return UNDEFINED_IN_HEBREW
  return encoding.startsWith('windows-') ? UNDEFINED : null
}

/** For messages and tests: one name of Python for each. */
export const INPUT_ENCODINGS: readonly string[] = [
  ...Object.values(NAMES).map(names => names[0]!),
  ...WINDOWS.map(page => `cp${page}`),
  ...ISO_8859.map(part => `iso8859_${part}`),
]

/** Why another encoding is refused. */
export const NO_ENCODING =
  `only these are read: utf-8, utf-8-sig, ${INPUT_ENCODINGS.join(', ')}. Convert the file to UTF-8, or give --read, which ` +
  'takes every encoding'
