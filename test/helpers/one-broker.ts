/** One real broker for all test files of `npm test`: node --test calls it before the first and after the last. */
import { startLocalBroker } from '../../src/broker/local-broker.ts'

let close: () => Promise<void> = async () => {}

export async function globalSetup(): Promise<void> {
  const broker = await startLocalBroker({ onProgress: message => process.stderr.write(`${message}\n`) })
  process.env['ROWMILL_TEST_BROKERS'] = broker.address
  close = () => broker.close()
}

export async function globalTeardown(): Promise<void> {
  await close()
}
