import { describeRoom, SMALL_PIPELINE } from '../../broker/jvm/open-files-needed.ts'
import { keptFolder } from '../../broker/kept/kept-folder.ts'
import { stopKeptBroker } from '../../broker/kept/stop-kept.ts'
import { startLocalBroker } from '../../broker/local-broker.ts'
import { untilAborted } from '../../support/abort.ts'
import { version } from '../../support/version.ts'
import { defineCommand } from '../command.ts'
import { withinLimits } from '../limits.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { print, printed } from '../standard-output.ts'
import type { TerminalOptions } from '../terminal.ts'

const OPEN_TO_ALL = 'every user of this machine can read and write the topics of this broker. --auth keeps them out'

export const brokerCommand = defineCommand({
  name: 'broker',
  doc: 'run a local Kafka until it is stopped; prints its address, and nothing else, on stdout',
  operands: [],
  example: 'rowmill broker --port 9092 --data ./kafka-data --auth',
  options: ['port', 'data', 'auth', 'stop', ...LOG_OPTIONS, 'config'],
  act: (_, options) => {
    const { port, data, auth, stop } = options
    if (stop) return stopKept(options)
    return withinLimits(options, 'before the broker answered', async ({ terminal, say, signal }) => {
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
      const { clientConfig } = broker
      if (clientConfig === null) say(OPEN_TO_ALL, { level: 'warn' })
      // Without this file nobody gets in, so the line comes in spite of --quiet.
      else terminal.output(`rowmill: the other commands need --command-config ${clientConfig}`, { source: 'rowmill' })
      try {
        print(`${broker.address}\n`)
        await printed()
        const died = await Promise.race([untilAborted(signal), broker.died])
        if (died) throw died
      } finally {
        await broker.close()
      }
      return 0
    })
  },
})

function stopKept(options: TerminalOptions): Promise<number> {
  return withinLimits(options, 'before the kept Kafka ended', async ({ say, signal }) => {
    const folder = keptFolder(version())
    const found = folder === null ? 'none' : await stopKeptBroker(folder, signal)
    if (found === 'none') say('there is no kept Kafka of this version of rowmill')
    else if (found === 'ended') say('the kept Kafka has ended')
    else say(`the kept Kafka ends after the runs that use it: ${found}`)
    return 0
  })
}
