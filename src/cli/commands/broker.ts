import { describeRoom, SMALL_PIPELINE } from '../../broker/jvm/open-files-needed.ts'
import { startLocalBroker } from '../../broker/local-broker.ts'
import type { LocalBroker } from '../../broker/running-broker.ts'
import { untilAborted } from '../../support/abort.ts'
import { defineCommand } from '../command.ts'
import { withinLimits } from '../limits.ts'

export const brokerCommand = defineCommand({
  name: 'broker',
  doc: 'run a local Kafka until it is stopped; prints its address, and nothing else, on stdout',
  operands: [],
  example: 'rowmill broker --port 9092 --data ./kafka-data --auth',
  options: ['port', 'data', 'auth', 'quiet', 'config'],
  act: (_, { port, data, auth, quiet }) =>
    withinLimits({ quiet }, 'before the broker answered', async ({ say, signal }) => {
      const broker = await startLocalBroker({
        ...(port === null ? {} : { port }),
        ...(data === null ? {} : { dataDir: data }),
        auth,
        load: SMALL_PIPELINE,
        onProgress: say,
        signal,
      })
      const room = describeRoom(SMALL_PIPELINE)
      if (room !== null) say(room)
      say(whoMayUse(broker))
      process.stdout.write(`${broker.address}\n`)
      const died = await Promise.race([untilAborted(signal), broker.died])
      await broker.close()
      if (died) throw died
      return 0
    }),
})

function whoMayUse({ clientConfig }: LocalBroker): string {
  return clientConfig === null
    ? 'every user of this machine can read and write the topics of this broker. --auth keeps them out'
    : `the other commands need --command-config ${clientConfig}`
}
