import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import type { ClusterSettings } from '../kafka/index.ts'

/** The only user of a private broker. Each start makes a new one, so a password that leaked is worth nothing later. */
export interface BrokerLogin {
  readonly username: string
  readonly password: string
}

export const MECHANISM = 'PLAIN'
const SECRET_BYTES = 32

export function newLogin(): BrokerLogin {
  return { username: 'rowmill', password: randomBytes(SECRET_BYTES).toString('base64url') }
}

/** How a client of this machine reaches the broker. Null: everybody may. */
export function localCluster(address: string, login: BrokerLogin | null): ClusterSettings {
  const security = login && { tls: null, sasl: { mechanism: MECHANISM, ...login } as const }
  return { brokers: [address], ...(security && { security }) }
}

/** The property `sasl.jaas.config` of a client. */
function clientJaas({ username, password }: BrokerLogin): string {
  return `org.apache.kafka.common.security.plain.PlainLoginModule required username="${username}" password="${password}";`
}

/** The same of a broker: it logs in at its own controller, and knows the passwords of its users. */
export function serverJaas(login: BrokerLogin): string {
  return clientJaas(login).replace(';', ` user_${login.username}="${login.password}";`)
}

/** What `--command-config` and the tools of Kafka need to reach the broker. */
export function clientProperties(address: string, login: BrokerLogin): string {
  return [
    `bootstrap.servers=${address}`,
    'security.protocol=SASL_PLAINTEXT',
    `sasl.mechanism=${MECHANISM}`,
    `sasl.jaas.config=${clientJaas(login)}`,
    '',
  ].join('\n')
}

/** Writes a file that this user alone may read. An existing file would keep its mode, so it is removed first. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await rm(path, { force: true })
  await writeFile(path, text, { mode: 0o600, flag: 'wx' })
}
