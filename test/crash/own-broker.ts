import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'

/** A broker for this test alone that keeps its topics, and can be killed and restarted at the same address. */
export async function ownBroker(t: TestContext) {
  const dataDir = join(testFolder(t), 'data')
  const port = await freePort()
  let broker: LocalBroker | null = null
  t.after(() => broker?.kill())
  const start = async () => {
    broker = await startLocalBroker({ dataDir, port })
    return broker.address
  }
  return { address: await start(), start, kill: () => broker!.kill() }
}
