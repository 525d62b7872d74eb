import { describeRoom, SMALL_PIPELINE } from '../../broker/jvm/open-files-needed.ts'
import { startLocalBroker } from '../../broker/local-broker.ts'
import { untilAborted } from '../../support/abort.ts'
import { defineCommand } from '../command.ts'
import { withinLimits } from '../limits.ts'

export const brokerCommand = defineCommand({
  name: 'broker',
  doc: 'run a local Kafka until it is stopped; prints its address, and nothing else, on stdout',
  operands: [],
  example: 'rowmill broker --port 9092 --data ./kafka-data',
  options: ['port', 'data', 'quiet'],
  act: (_, { port, data, quiet }) =>
    withinLimits({ quiet }, 'before the broker answered', async ({ say, signal }) => {
      const broker = await startLocalBroker({
        ...(port === null ? {} : { port }),
        ...(data === null ? {} : { dataDir: data }),
        load: SMALL_PIPELINE,
        onProgress: say,
        signal,
      })
      const room = describeRoom(SMALL_PIPELINE)
      if (room !== null) say(room)
      process.stdout.write(`${broker.address}\n`)
      const died = await Promise.race([untilAborted(signal), broker.died])
      await broker.close()
      if (died) throw died
      return 0
    }),
})
