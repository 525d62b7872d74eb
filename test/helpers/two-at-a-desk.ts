import type { TestContext } from 'node:test'
import type { RowsClassifier } from '../../src/classifier/boundary.ts'
import type { Layout } from '../../src/core/sequence.ts'
import { LendingDesk } from '../../src/work/lending-desk.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { Exclaimer } from './exclaimer.ts'
import { DeskPlace } from './lending-desk.ts'
import { ManualTime } from './manual-time.ts'
import type { WorkerSettings } from './running-pipeline.ts'

/** All rows are in one partition, so one worker owns them all. */
const ONE_OWNER = { partitions: 1, blockRows: 5 }

/** Two workers with one desk and one clock, over a Kafka in memory. The first joins first, and so owns the partition. */
export async function twoAtADesk(t: TestContext, layout: Layout = ONE_OWNER) {
  const { running, cluster, ...rest } = await fakePipeline(t, layout)
  const time = new ManualTime().runs(t, 50) // messages between the workers take less than a batch
  const desk = new LendingDesk()
  const [owner, lender] = [new DeskPlace(desk), new DeskPlace(desk)]
  /** A classifier that takes this long for each row. */
  const taking = (rowMs: number, before: (number: number) => Promise<void> = async () => {}) =>
    new Exclaimer(async ({ rows }, number) => {
      await time.sleep(rowMs * rows.length)
      await before(number)
    })
  /** A classifier that also waits with each answer until `answer` is called. `has` resolves when it has a batch. */
  const holding = (rowMs: number) => {
    const has = Promise.withResolvers<void>()
    const answers = Promise.withResolvers<void>()
    const classifier = taking(rowMs, async () => {
      has.resolve()
      await answers.promise
    })
    return { classifier, has: has.promise, answer: answers.resolve }
  }
  const work = (name: 'owner' | 'lender', classifier: RowsClassifier, more: WorkerSettings = {}) => {
    const { kafka } = cluster.client()
    const lending = name === 'owner' ? owner : lender
    return running.work(classifier, { name, kafka, time, batchRows: 5, lending, ...more })
  }
  return { running, cluster, time, desk, owner, lender, taking, holding, work, ...rest }
}
