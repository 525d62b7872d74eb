import type { TestContext } from 'node:test'
import type { Layout } from '../../src/core/sequence.ts'
import { type PipelineTopics, topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { RunningPipeline } from '../helpers/running-pipeline.ts'
import { FakeCluster } from './kafka.ts'
import type { PartitionLog } from './partition-log.ts'

const PIPELINE = 'p'

/** A pipeline over its own Kafka in memory, and the parts that run in it. */
export async function fakePipeline(t: TestContext, layout: Layout) {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  await ensureTopics(await kafka.admin(), PIPELINE, layout.partitions)
  const running = new RunningPipeline(t, await RunningPipeline.parts(t, { kafka, pipeline: PIPELINE, layout }))
  const topics: PipelineTopics = topicsOf(PIPELINE)
  const log = (topic: keyof PipelineTopics, partition = 0): PartitionLog =>
    cluster.log({ topic: topics[topic], partition })!
  return { cluster, running, topics, log }
}
