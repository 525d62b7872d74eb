import { existsSync } from 'node:fs'

/**
 * Secrets in text: user and password in a URL, and parameters of a query such as `token=`. They go only to the server that
 * the URL names. `maskSecrets` masks what looks like a secret in any text. `Secrets` also knows what a command line holds.
 */

/** Everything up to the last @: in a URL that cannot be parsed, we cannot tell where the password ends. */
const USERINFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** Whether the text of a URL or an address holds a user or a password, even if it is not valid. */
export function holdsCredentials(url: string): boolean {
  return url.includes('@')
}

/** Whether it may hold any secret. Nobody can know what a query means to its server. */
export function mayHoldSecret(url: string): boolean {
  return /[@?#]/.test(url)
}

/** The URL or address for people: with *** instead of user and password, and instead of a query. */
export function maskUrl(url: string): string {
  return url.replace(USERINFO, (_, scheme = '') => `${scheme}***@`).replace(/([?#]).*/s, '$1***')
}

/** Whether the name of a file is probably what should be in that file, USER:PASSWORD. */
export function isProbablyUserinfo(path: string): boolean {
  return path.includes(':') && !existsSync(path)
}

/** The URL without user and password. */
export function withoutCredentials(url: string): string {
  return url.replace(USERINFO, (_, scheme = '') => scheme)
}

/** The URL with `userinfo`, which is `USER:PASSWORD` as the server knows them. */
export function withCredentials(url: string, userinfo: string): string {
  const colon = userinfo.indexOf(':')
  const whole = new URL(url)
  // URL does not encode a percent sign, so without this it would later read p%41ss as pAss.
  whole.username = encodeURIComponent(userinfo.slice(0, colon))
  whole.password = encodeURIComponent(userinfo.slice(colon + 1))
  return whole.href
}

/** What messages have instead of a secret. */
export const MASK = '***'
/** In our own advice. */
const PLACEHOLDER = 'USER:PASSWORD'
/** The end of the name of a parameter whose value is a secret: `access_token`, but not `author` or `keyword`. */
const SECRET_NAME = /(?:token|pass(?:word|wd|phrase|code)?|pwd|secret|key|auth|credentials?|sig(?:nature)?)$/i

/**
 * The text with *** instead of everything that looks like a secret: user and password of a URL, up to the first slash, since
 * https://HOST/@NAME has none; and the parameters above. Linear in the length of the text, which may be a cell of a megabyte.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/:\/\/([^\s/?#]*)@/g, (whole, userinfo) => (userinfo === PLACEHOLDER ? whole : `://${MASK}@`))
    .replace(/([?&#;])([\w.-]{1,64})=[^\s&#;"'<>]+/g, (whole, start, name) =>
      SECRET_NAME.test(name) ? `${start}${name}=${MASK}` : whole,
    )
}

/**
 * Where a word of a command line has user and password. Unlike `maskSecrets`, it finds a password with spaces or slashes, and
 * one in an address without a scheme. The latter may follow `--option=`, `-o`, and addresses with commas between.
 */
const IN_URL = /:\/\/(.+)@/s
const IN_ADDRESS = /^(?:-[^=]*=|-[a-z](?=.))?(?:[^,@]*,)*?([^\s:@/{}[\]"',=]+:.*)@/is

/** The secrets among some words, such as those of a command line. Masks each of them wherever a text repeats it. */
export class Secrets {
  /** What is replaced, and by what. The longest is first, because one may be a part of another. */
  readonly #masks: readonly (readonly [secret: string, mask: string])[]

  constructor(words: Iterable<string>) {
    const masks = new Map<string, string>()
    for (const word of words) {
      const userinfo = word.includes('@') && (IN_URL.exec(word) ?? IN_ADDRESS.exec(word))
      if (userinfo && userinfo[1] !== PLACEHOLDER)
        for (const form of formsOf(userinfo[1]!)) masks.set(`${form}@`, `${MASK}@`)
      for (const [, whole, name] of word.matchAll(/[?&#;](([\w.-]{1,64})=[^&#;]+)/g))
        if (SECRET_NAME.test(name!)) for (const form of formsOf(whole!)) masks.set(form, `${name}=${MASK}`)
    }
    this.#masks = [...masks].sort(([a], [b]) => b.length - a.length)
  }

  /** The text without these secrets, and without whatever else looks like one. */
  mask(text: string): string {
    return maskSecrets(this.#masks.reduce((masked, [secret, mask]) => masked.replaceAll(secret, () => mask), text))
  }
}

/** A secret as messages may show it: as it is, in JSON, in JSON in JSON, and quoted for a shell. */
function formsOf(secret: string): Set<string> {
  const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
  return new Set([secret, inJson(secret), inJson(inJson(secret)), secret.replaceAll("'", "'\\''")])
}

/** A shorter secret is not masked, because its mask would tell what it is. */
const SHORTEST_SECRET = 4

/**
 * The text of somebody else, such as the answer of a server, with *** instead of these secrets: as they are, as a URL or a
 * form has them, and in Base64.
 */
export function maskKnown(text: string, secrets: readonly string[]): string {
  const forms = secrets.filter(secret => secret.length >= SHORTEST_SECRET).flatMap(sentForms)
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return maskSecrets(longestFirst.reduce((masked, form) => masked.replaceAll(form, MASK), text))
}

function sentForms(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64')
  const inForm = new URLSearchParams([['', secret]]).toString().slice(1)
  const inUrls = [encodeURIComponent(secret), inForm, encodeURIComponent(base64)]
  const bare = base64.replace(/=+$/, '')
  return [...formsOf(secret), ...inUrls, base64, bare, Buffer.from(secret).toString('base64url')]
}
