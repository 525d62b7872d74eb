/** Properties as text: NAME=VALUE on the command line, or several, each on a line of its own, in the environment. */

/** A line that begins another property. Lines of a certificate do not: they have no dot before an equals sign. */
const NEXT = /\r?\n(?=[ \t]*[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+[ \t]*=)/i
const PROPERTY = /^\s*([a-z][\w.-]*)\s*=/i
/** The ends of the names whose values are secrets. */
const SECRET = /(?:password|passphrase|secret|jaas\.config|\.key|key\.pem|user\.info|oauthbearer\.config)$/i

/** Each NAME=VALUE. Throws an error that says what one looks like. */
export function parseProperties(text: string): readonly string[] {
  const properties = text.split(NEXT).filter(property => property.trim() !== '')
  if (properties.length === 0 || !properties.every(property => PROPERTY.test(property)))
    throw new Error('must be NAME=VALUE, such as security.protocol=SSL')
  return properties
}

export function holdsSecretProperty(text: string): boolean {
  return text.split(NEXT).some(property => SECRET.test(PROPERTY.exec(property)?.[1] ?? ''))
}

/** The names alone. */
export function maskProperties(text: string): string {
  return text
    .split(NEXT)
    .map(property => `${PROPERTY.exec(property)?.[1] ?? ''}=***`)
    .join(' ')
}
