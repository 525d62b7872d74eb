import { once } from 'node:events'
import { startLocalBroker } from '../../broker/local-broker.ts'
import type { CommandSpec } from '../command.ts'
import { Limits } from '../limits.ts'
import { Terminal } from '../terminal.ts'

const OPTION_NAMES = ['port', 'data', 'quiet'] as const

export const brokerCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'broker',
  doc: 'keep a local Kafka running until it is stopped; its address stands alone on stdout',
  operands: [],
  example: 'rowmill broker --port 9092 --data ./kafka-data',
  options: OPTION_NAMES,
  async act(_, { port, data, quiet }) {
    const terminal = new Terminal({ quiet, progress: false })
    const limits = new Limits('before the broker answered', null)
    try {
      const broker = await startLocalBroker({
        ...(port === null ? {} : { port }),
        ...(data === null ? {} : { dataDir: data }),
        onProgress: message => terminal.say(message),
        signal: limits.signal,
      })
      process.stdout.write(`${broker.address}\n`)
      const stopped = limits.signal.aborted ? Promise.resolve(null) : once(limits.signal, 'abort').then(() => null)
      const died = await Promise.race([stopped, broker.died])
      await broker.close()
      if (died) throw died
      return 0
    } finally {
      limits.close()
    }
  },
}
