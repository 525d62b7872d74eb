import { RowmillError } from '../../errors.ts'
import { openFilesAdvice, openFilesLimit } from '../../support/open-files.ts'

/** Kafka 4.4.0 had 102 files open before its first topic, jars and sockets included. */
const KAFKA_FILES = 110
/** One segment of each partition in each of the topics rows, bulk and results. */
const FILES_A_PARTITION = 3
/** The connections of a worker. The command itself needs as many as two workers. */
const FILES_A_WORKER = 8

/** What a broker has to serve, as far as it is known at its start. */
export interface Load {
  readonly partitions: number
  readonly workers: number
}

/** A pipeline as `rowmill publish` makes one, with two workers: the least that a broker for several commands is for. */
export const SMALL_PIPELINE: Load = { partitions: 8, workers: 2 }
/** With so many open files nobody needs to be told what they are enough for. */
export const PLENTY = 1024

/**
 * How many partitions a broker has room for that may open few files. Null if it may open enough for most pipelines.
 * Another command may ask for more partitions later, which the broker cannot know at its start.
 */
export function describeRoom({ workers }: Load, limit = openFilesLimit()): string | null {
  if (limit === null || limit >= PLENTY) return null
  const partitions = Math.floor((limit - filesFor({ partitions: 0, workers })) / FILES_A_PARTITION)
  return (
    `this Kafka has room for ${partitions} partitions and ${workers} workers, all pipelines together. ` +
    openFilesAdvice(limit)
  )
}

/**
 * Throws TOO_MANY_OPEN_FILES if a local broker would reach the limit. Without this check, a JVM that cannot open its jars
 * reports a missing class, and a broker that cannot accept a connection leaves its clients waiting in silence.
 */
export function requireOpenFiles(load: Load, limit = openFilesLimit()): void {
  const { partitions, workers } = load
  const needed = filesFor(load)
  if (limit === null || limit >= needed) return
  const what =
    partitions === 0 ? ', and more with each partition' : ` for ${partitions} partitions and ${workers} workers`
  const needs = `the local Kafka needs ${needed} open files${what}`
  throw new RowmillError('TOO_MANY_OPEN_FILES', `${needs}. ${openFilesAdvice(limit)}`, { limit, needed })
}

export function filesFor({ partitions, workers }: Load): number {
  return KAFKA_FILES + FILES_A_PARTITION * partitions + FILES_A_WORKER * (workers + 2)
}
