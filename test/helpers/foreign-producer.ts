/** A producer that is not ours: confluent-kafka, which is librdkafka. */

import type { ClusterSettings } from '../../src/kafka/index.ts'
import type { Pem } from '../../src/kafka/security.ts'
import { startProgram } from './cli.ts'
import { python } from './python.ts'

const SCRIPT = `
import json, sys
from confluent_kafka import Producer
settings, topic, values = json.load(sys.stdin)
producer, faults = Producer({**settings, 'acks': 'all'}), []
for value in values:
    producer.produce(topic, value, on_delivery=lambda error, _: error and faults.append(str(error)))
if producer.flush(60) > 0: faults.append('no answer within 60 s')
sys.exit('\\n'.join(faults) or 0)
`

/** Sends values and waits until Kafka has acknowledged them. Rejects with what librdkafka says. */
export async function produceWithLibrdkafka(
  properties: Readonly<Record<string, string>>,
  topic: string,
  values: readonly string[],
): Promise<void> {
  const input = JSON.stringify([properties, topic, values])
  const { code, stderr } = await startProgram(python, ['-c', SCRIPT], { input }).finished
  if (code !== 0) throw new Error(stderr)
}

/** The same cluster as librdkafka names it. Null for a token: librdkafka does not fetch those as we do. */
export function librdkafkaProperties({ brokers, security }: ClusterSettings): Record<string, string> | null {
  const { tls = null, sasl = null } = security ?? {}
  if (sasl?.mechanism === 'OAUTHBEARER') return null
  const given = {
    ...(tls && {
      ...pem('ca', tls.ca),
      ...pem('certificate', tls.cert),
      ...pem('key', tls.key),
      [tls.keystore ? 'ssl.keystore.password' : 'ssl.key.password']: tls.passphrase,
      'ssl.keystore.location': tls.keystore,
      ...(tls.checkHostName === false && { 'ssl.endpoint.identification.algorithm': 'none' }),
      ...(tls.checkCertificate === false && { 'enable.ssl.certificate.verification': 'false' }),
    }),
    ...(sasl && { 'sasl.mechanism': sasl.mechanism, 'sasl.username': sasl.username, 'sasl.password': sasl.password }),
  }
  const protocol = `${sasl ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`
  const known = Object.entries(given).flatMap(([name, value]) => (value ? [[name, value]] : []))
  return { 'bootstrap.servers': brokers.join(','), 'security.protocol': protocol, ...Object.fromEntries(known) }
}

function pem(what: string, value: Pem | null | undefined): Record<string, string> {
  if (!value) return {}
  return 'file' in value ? { [`ssl.${what}.location`]: value.file } : { [`ssl.${what}.pem`]: value.text }
}
