import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { freePort } from './free-port.ts'
import { BrokerProxy } from './proxy.ts'

interface ProxiedBroker {
  readonly delayMs?: number
  /** More properties of the broker. */
  readonly properties?: Readonly<Record<string, string>>
}

/** A broker for this test alone, which tells its clients only the address of the proxy before it. */
export async function brokerBehindProxy(
  t: { after(fn: () => Promise<void>): void },
  { delayMs = 0, properties = {} }: ProxiedBroker = {},
): Promise<BrokerProxy> {
  const [port, advertised] = [await freePort(), await freePort()]
  const proxy = await BrokerProxy.open(t, { port: advertised, to: port, delayMs })
  const address = { 'advertised.listeners': `PLAINTEXT://${proxy.address}` }
  const broker = await startLocalBroker({ port, properties: { ...address, ...properties } })
  t.after(() => broker.kill())
  return proxy
}
