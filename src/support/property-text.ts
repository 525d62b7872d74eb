/** A property as text: NAME=VALUE, on the command line. */
import { holdsCredentials, MASK } from './credentials.ts'

/** One property of a Kafka client, and where the user gave it. */
export interface Property {
  readonly name: string
  readonly value: string
  /** For messages: `client.properties, line 3`. */
  readonly where: string
}

const PROPERTY = /^\s*([a-z][\w.-]*)\s*=(.*)$/is
/** The ends of the names whose values are secrets. The command for a token may hold one. */
const SECRET =
  /(?:password|passphrase|secret|jaas\.config|\.key|key\.pem|user\.info|oauthbearer\.config|token\.command)$/i

/** The property of NAME=VALUE. Throws an error that says what one looks like. */
export function parseProperty(text: string, where: string): Property {
  const [, name, value] = PROPERTY.exec(text) ?? []
  if (name === undefined) throw new Error('must be NAME=VALUE, such as security.protocol=SSL')
  return { name, value: value!, where }
}

/** Whether the value is a secret: by the name of the property, or because it is a URL with a password. */
export function isSecretProperty({ name, value }: Pick<Property, 'name' | 'value'>): boolean {
  return SECRET.test(name) || (/\.url$/i.test(name) && holdsCredentials(value))
}

/** Whether NAME=VALUE holds a secret. Any other text may be one. */
export function holdsSecretProperty(text: string): boolean {
  const [, name, value] = PROPERTY.exec(text) ?? []
  return name === undefined || isSecretProperty({ name, value: value! })
}

/** The name alone. */
export function maskProperty(text: string): string {
  const [, name] = PROPERTY.exec(text) ?? []
  return name === undefined ? MASK : `${name}=${MASK}`
}
