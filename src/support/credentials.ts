/** User and password in a URL: they go to the server the URL names, and nowhere else. */

/** Everything up to the last @: of a URL that cannot be parsed nobody knows where the password ends. */
const USERINFO = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is

/** Whether the text of a URL holds a user or a password, also where it is no valid URL. */
export function holdsCredentials(url: string): boolean {
  return url.includes('@')
}

/** The same text for people: with *** instead of user and password. */
export function maskCredentials(url: string): string {
  return url.replace(USERINFO, (_, scheme = '') => `${scheme}***@`)
}

/** The same URL without user and password. */
export function withoutCredentials(url: string): string {
  return url.replace(USERINFO, (_, scheme = '') => scheme)
}

/** The same URL with `userinfo`, which is `USER:PASSWORD` as the server knows them. */
export function withCredentials(url: string, userinfo: string): string {
  const colon = userinfo.indexOf(':')
  const whole = new URL(url)
  // URL leaves a percent sign as it is, and would take p%41ss for pAss when it is read.
  whole.username = encodeURIComponent(userinfo.slice(0, colon))
  whole.password = encodeURIComponent(userinfo.slice(colon + 1))
  return whole.href
}
