import { RowmillError } from '../errors.ts'
import { quoteForShell } from '../support/shell.ts'
import type { ClusterSecurity } from './security.ts'

/** Something that a cluster allows to a user or not, in the words of kafka-acls. */
export interface Right {
  readonly operation: 'Read' | 'Write' | 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs'
  readonly resource: 'topic' | 'group'
  /** The name of the topic or group, or how the names begin. */
  readonly name: string
  readonly prefixed?: boolean
}

/** Who asks the cluster, and whom to tell what is missing. */
export class Rights {
  readonly #brokers: string
  readonly #security: ClusterSecurity

  constructor(brokers: readonly string[], security: ClusterSecurity) {
    this.#brokers = brokers.join(',')
    this.#security = security
  }

  /** The result of a request that needs a right. Throws NOT_AUTHORIZED if the broker says that it is missing. */
  async needing<T>(right: Right, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw isOfRights(error) ? this.missing(right, error) : error
    }
  }

  /** NOT_AUTHORIZED, with the command that grants the right. `more` follows it. */
  missing(right: Right, cause: unknown, more = ''): RowmillError {
    const { operation, resource, name, prefixed = false } = right
    const { sasl } = this.#security
    const user = sasl && 'username' in sasl ? `User:${sasl.username}` : null
    const acl = aclCommand(this.#brokers, user ?? 'User:NAME', right)
    const what = `${operation} ${prefixed ? `${resource}s ${name}*` : `${resource} ${name}`}`
    const message = `${user ?? 'this user'} has no right to ${what}. An administrator grants it: ${acl}${more}`
    return new RowmillError('NOT_AUTHORIZED', message, { operation, resource, name, acl }, { cause })
  }
}

/** Kafka's own command that grants a right to a principal, for all of `names`. */
export function aclCommand(
  brokers: string,
  principal: string,
  { operation, resource, name, prefixed }: Right,
  names: readonly string[] = [name],
): string {
  const pattern = prefixed ? ' --resource-pattern-type prefixed' : ''
  const [at, who] = [brokers, principal].map(quoteForShell)
  const on = names.map(name => `--${resource} ${quoteForShell(name)}`).join(' ')
  return `kafka-acls.sh --bootstrap-server ${at} --add --allow-principal ${who} --operation ${operation} ${on}${pattern}`
}

/** Whether the broker refuses a request because a right is missing, to a resource of this kind if it is given. */
export function isOfRights(error: unknown, resource: 'TOPIC' | 'GROUP' | '' = ''): boolean {
  const { type, cause } = (error ?? {}) as { type?: unknown; cause?: { type?: unknown } }
  return [type, cause?.type].some(each => typeof each === 'string' && each.endsWith(`${resource}_AUTHORIZATION_FAILED`))
}
