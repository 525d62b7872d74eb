import { readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { firstDifference } from '../../scripts/compare-files.ts'
import type { KafkaAdmin } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { passThrough } from '../contenders.ts'
import { measure } from '../measure.ts'
import type { Cost } from './pairs.ts'
import type { Way } from './ways.ts'

interface RunPlace {
  readonly python: string
  readonly input: string
  readonly output: string
  /** Of the broker. */
  readonly admin: KafkaAdmin
  /** The folder where the broker keeps its partitions. */
  readonly partitions: string
}

/** Runs of the same rows through one broker. Each has topics of its own, which it deletes. */
export class Runs {
  readonly #place: RunPlace
  #count = 0

  constructor(place: RunPlace) {
    this.#place = place
  }

  /** Throws if a row came back changed. */
  async cost({ name, brokers, options }: Way): Promise<Cost> {
    const { python, input, output, admin } = this.#place
    const pipeline = `transport-${this.#count++}`
    const contender = passThrough(name, brokers, { python, options: ['--pipeline', pipeline, ...options] })
    await rm(output, { force: true })
    const { seconds, usage } = await measure(name, contender.command(input, output))
    const difference = await firstDifference(input, output)
    if (difference) throw new Error(`${name}: the output differs, ${difference}`)
    const cpuOf = (...parts: string[]) =>
      usage.filter(part => parts.includes(part.name)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
    const diskBytes = this.#bytesOnDisk(pipeline)
    await admin.deleteTopics([...(await admin.partitions(Object.values(topicsOf(pipeline)))).keys()])
    return { seconds, ownCpu: cpuOf('command', 'worker'), brokerCpu: cpuOf('broker'), diskBytes }
  }

  /** Without the indexes, which the broker makes large first and cuts later. */
  #bytesOnDisk(pipeline: string): number {
    const { partitions } = this.#place
    return readdirSync(partitions)
      .filter(partition => partition.startsWith(`${pipeline}.`))
      .flatMap(partition => readdirSync(join(partitions, partition)).map(file => join(partitions, partition, file)))
      .filter(file => file.endsWith('.log'))
      .reduce((sum, file) => sum + statSync(file).size, 0)
  }
}
