/**
 * A producer of live rows in its own process: `node stream-producer.ts JOB NUMBER ROWS_A_SECOND UNTIL_MS`. It resumes the job
 * where its last producer stopped, sends rows until that time, and ends the job. It prints `safe SEQ`, and exits with the code of
 * the command line: 3 if the broker does not answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT_CODES, openJob, RowmillError } from '../../src/index.ts'
import { STREAM_COLUMNS, streamRow } from './stream-rows.ts'

const BURST_MS = 100
const [id, number, rate, until] = process.argv.slice(2)
const burst = Math.max(1, Math.round((Number(rate) * BURST_MS) / 1000))

try {
  const job = await openJob({
    brokers: [process.env['ROWMILL_BROKERS']!],
    pipeline: process.env['ROWMILL_PIPELINE']!,
    id: id!,
    columns: [...STREAM_COLUMNS],
    say: text => console.error(text),
  })
  console.log(`opened ${job.seq}`)
  for (let seq = job.seq; Date.now() < Number(until); seq += burst) {
    const sent = Array.from({ length: burst }, (_, i) => job.send(streamRow(Number(number), seq + i)))
    console.log(`safe ${(await Promise.all(sent)).at(-1)}`)
    await sleep(BURST_MS)
  }
  await job.end()
  await job.close()
} catch (error) {
  const code = error instanceof RowmillError ? error.code : null
  // It was killed between the end of the job and its own.
  if (code !== 'JOB_EXISTS' || Date.now() < Number(until)) {
    console.error(error)
    process.exit(code ? EXIT_CODES[code] : 1)
  }
}
process.exit(0)
