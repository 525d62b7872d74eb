/** Kafka 3.9 as the cluster, over TLS with a login. Each command runs once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { testFolder } from '../helpers/cli.ts'
import { everyCommand } from '../helpers/every-command.ts'
import { OLDER_KAFKA, startOlderKafka } from '../helpers/older-kafka.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { propertiesText } from '../helpers/ways-in.ts'

test(`on Kafka ${OLDER_KAFKA.version} every command works over TLS with SCRAM-SHA-512, with the bytes of pandas`, async t => {
  const closes: (() => Promise<void> | void)[] = []
  t.after(async () => {
    for (const close of closes.reverse()) await close()
  })
  const secured = await SecuredBroker.start(close => closes.push(close), { start: startOlderKafka })
  const config = join(testFolder(t), 'client.properties')
  const properties = {
    'bootstrap.servers': secured.address('LOGIN'),
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': secured.authority.ca,
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': USER,
    'sasl.password': PASSWORD,
  }
  writeFileSync(config, propertiesText(properties))
  await everyCommand(t, config)
})
