/** Kafka 3.9 as the cluster: every command, open to all and over TLS with a login. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { testFolder } from '../helpers/cli.ts'
import { everyCommand } from '../helpers/every-command.ts'
import { OLDER_KAFKA, startOlderKafka } from '../helpers/older-kafka.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker

before(async () => {
  secured = await SecuredBroker.start(closing, { start: startOlderKafka })
})
after(async () => {
  for (const close of closes) await close()
})

test(`on Kafka ${OLDER_KAFKA.version} every command works, with the bytes of pandas`, async t => {
  const config = join(testFolder(t), 'client.properties')
  writeFileSync(config, propertiesText({ 'bootstrap.servers': secured.broker.address }))
  await everyCommand(t, config)
})

test(`on Kafka ${OLDER_KAFKA.version} every command works over TLS with a SCRAM-SHA-512 login`, async t => {
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
