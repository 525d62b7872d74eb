/** User and password in a URL. They go only to the server that the URL names. */

/** Everything up to the last @: in a URL that cannot be parsed, we cannot tell where the password ends. */
const USERINFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** Whether the text of a URL holds a user or a password, even if the URL is not valid. */
export function holdsCredentials(url: string): boolean {
  return url.includes('@')
}

/** The URL for people: with *** instead of user and password. */
export function maskCredentials(url: string): string {
  return url.replace(USERINFO, (_, scheme = '') => `${scheme}***@`)
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
