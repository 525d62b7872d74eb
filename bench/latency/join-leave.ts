import { setTimeout as sleep } from 'node:timers/promises'
import { workersGroup } from '../../src/pipeline/topic-names.ts'
import { type Contender, openAdmin } from './contenders.ts'
import { longestGap } from './percentiles.ts'
import { RowStream } from './row-stream.ts'
import { Workers, type WorkersOptions } from './workers.ts'

const ROWS_PER_SECOND = 100
/**
 * Added to the time until the group has one member more or less: a gap may begin with the broker's message, or end
 * later.
 */
const AFTER_MS = 3000
const LOOK_EVERY_MS = 50

/** The longest time without a visible result, in milliseconds. */
export interface Gaps {
  readonly join: number
  readonly leave: number
}

/**
 * Sends one row every 10 ms while one more worker starts and joins, then leaves after SIGTERM. Throws if a row is lost
 * or out of order.
 */
export async function measureGaps(
  contender: Contender,
  joining: Omit<WorkersOptions, 'workers'>,
  members: number,
): Promise<Gaps> {
  const stream = new RowStream(await contender.open())
  const admin = await openAdmin(joining.broker)
  const over = new AbortController()
  const sending = stream.send(ROWS_PER_SECOND, { signal: over.signal })
  const untilMembers = async (count: number) => {
    while ((await admin.groupMembers(workersGroup(joining.pipeline))) !== count) await sleep(LOOK_EVERY_MS)
    await sleep(AFTER_MS)
  }
  /** From the last result before to the first one after. A gap that has not ended yet counts. */
  const gapDuring = async (work: () => Promise<void>) => {
    const from = Math.max(0, stream.seenAt.length - 1)
    await work()
    return longestGap(stream.seenAt.slice(from))
  }
  try {
    await sleep(AFTER_MS) // a new job has begun, and the workers know it
    let third: Workers | null = null
    const join = await gapDuring(() => {
      third = new Workers({ ...joining, workers: 1 })
      return untilMembers(members + 1)
    })
    const leave = await gapDuring(() => Promise.all([third!.leave(), untilMembers(members)]).then(() => {}))
    over.abort()
    await sending
    const lost = await stream.settled()
    if (lost > 0 || stream.fault) throw new Error(`${lost} rows were lost: ${stream.fault}`)
    return { join, leave }
  } finally {
    over.abort()
    await Promise.all([stream.close(), admin.close()])
  }
}
