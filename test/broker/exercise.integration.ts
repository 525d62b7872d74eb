import { test } from 'node:test'
import { exercise } from '../../src/broker/jvm/exercise.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'

test('a new private broker does all that the preparation of quick starts asks of it', async t => {
  const broker = await startLocalBroker({ auth: true })
  t.after(() => broker.close())
  await exercise(broker.cluster, t.signal) // rejects at the first request that the broker refuses
})
