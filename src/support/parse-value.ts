import { holdsCredentials, isProbablyUserinfo } from './credentials.ts'

/** Parsers of values given as text. Each throws an Error that says what a valid value is. */

export function wholeNumber(given: string, [min, max]: readonly [number, number]): number {
  const number = /^[0-9]{1,15}$/.test(given) ? Number(given) : Number.NaN
  if (number >= min && number <= max) return number
  throw new Error(`must be a whole number from ${min} to ${max}`)
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** An age in milliseconds. */
export function parseAge(given: string): number {
  const [, count, unit] = /^([0-9]{1,6})([mhd])$/.exec(given) ?? []
  if (count !== undefined) return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
  throw new Error('must be a number of minutes, hours or days, such as 30m, 12h or 7d')
}

export function nonEmpty(given: string): string {
  if (given !== '') return given
  throw new Error('must not be empty')
}

export function checkAddress(address: string): string {
  const port = Number(/^.+:([0-9]{1,5})$/.exec(address)?.[1])
  if (port >= 1 && port <= 65_535 && !/[@/?#\s]/.test(address)) return address
  const surplus = /[@/?#]/.test(address) ? ', without http://, user and password' : ''
  throw new Error(`must be HOST:PORT, or several of them with commas between${surplus}`)
}

export function checkUserinfoFile(path: string): string {
  if (isProbablyUserinfo(path)) throw new Error('must name a file. User and password are in it, on its only line')
  return nonEmpty(path)
}

export function checkUrl(given: string): string {
  const url = URL.parse(given)
  const isHttp = url !== null && /^https?:$/.test(url.protocol) && !/[?#]/.test(given)
  // Of http://me:p@ss/word@host the host is ss, and the rest of the password a path that errors would show.
  if (isHttp && !url.pathname.includes('@') && isDecodable(url.username + url.password)) return given
  const advice = holdsCredentials(given) ? '; a password is percent-encoded there: / is %2F, @ is %40' : ''
  throw new Error(`must be an http or https URL without ? and #, such as http://HOST:8081${advice}`)
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

export function checkBudget(given: string): string {
  if (/^[0-9]{1,15}$/.test(given) || /^(100|[0-9]{1,2}(\.[0-9]+)?)%$/.test(given)) return given
  throw new Error('must be a number of rows, or a part of them such as 0.5%')
}

export function checkNames(given: string): readonly string[] {
  const asJson = given.startsWith('[')
  const found: unknown = asJson ? JSON.parse(given) : given.split(',').map(name => name.trim())
  const isName = (name: unknown) => typeof name === 'string' && name.isWellFormed() && (asJson || name !== '')
  if (Array.isArray(found) && found.length > 0 && found.every(isName)) return found
  throw new Error('must be names with commas between, or a JSON array of names, such as ["SKU", "TEXT, long"]')
}

export function parseSwitch(given: string): boolean {
  if (/^(1|true|yes|on)$/i.test(given)) return true
  if (/^(0|false|no|off)$/i.test(given)) return false
  throw new Error('must be true or false, or yes, no, on, off, 1 or 0')
}

export function parseObject(given: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(given)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error('must be a JSON object of keyword arguments, such as {"sep": ";"}')
}
