/** Properties as text: NAME=VALUE on the command line, or several, each on a line of its own, in the environment. */
import { holdsCredentials } from './credentials.ts'

/** One property of a Kafka client, and where the user gave it. */
export interface Property {
  readonly name: string
  readonly value: string
  /** For messages: `client.properties, line 3`. */
  readonly where: string
}

/** A line that begins another property. Lines of a certificate do not: they have no dot before an equals sign. */
const NEXT = /\r?\n(?=[ \t]*[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+[ \t]*=)/i
const PROPERTY = /^\s*([a-z][\w.-]*)\s*=(.*)$/is
/** The ends of the names whose values are secrets. The command for a token may hold one. */
const SECRET =
  /(?:password|passphrase|secret|jaas\.config|\.key|key\.pem|user\.info|oauthbearer\.config|token\.command)$/i

/** Each NAME=VALUE. Throws an error that says what one looks like. */
export function parseProperties(text: string, where: string): Property[] {
  const found = text
    .split(NEXT)
    .filter(property => property.trim() !== '')
    .map(property => PROPERTY.exec(property))
  if (found.length === 0 || found.includes(null)) throw new Error('must be NAME=VALUE, such as security.protocol=SSL')
  return found.map(parts => ({ name: parts![1]!, value: parts![2]!, where }))
}

/** Whether the value is a secret: by the name of the property, or because it is a URL with a password. */
export function isSecretProperty({ name, value }: Pick<Property, 'name' | 'value'>): boolean {
  return SECRET.test(name) || (/\.url$/i.test(name) && holdsCredentials(value))
}

export function holdsSecretProperty(text: string): boolean {
  return text.split(NEXT).some(property => {
    const [, name = '', value = ''] = PROPERTY.exec(property) ?? []
    return isSecretProperty({ name, value })
  })
}

/** The names alone. */
export function maskProperties(text: string): string {
  return text
    .split(NEXT)
    .map(property => `${PROPERTY.exec(property)?.[1] ?? ''}=***`)
    .join(' ')
}
