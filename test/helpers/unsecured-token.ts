/** A token that Kafka's validator for tests accepts: it has no signature. It ends `seconds` from now. */
export function unsecuredToken(subject: string, seconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: Math.min(now, now + seconds - 60), exp: now + seconds })}.`
}
