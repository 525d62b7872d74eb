import { topicsOf, workersGroup } from '../../pipeline/topic-names.ts'
import { type Api, ask, type BrokerDoor, int32, text } from '../raw-requests.ts'

/** Every Kafka since 1.1 serves both versions. */
const DELETE_TOPICS: Api = { key: 20, version: 1 }
const DELETE_GROUPS: Api = { key: 42, version: 0 }
const TIMEOUT_MS = 5000
const NO_ERROR = 0
const UNKNOWN_TOPIC = 3

/** Deletes the topics and the group of a run. False: some topics are still there. Rejects if the broker does not answer. */
export async function dropTopics(broker: BrokerDoor, pipeline: string): Promise<boolean> {
  const topics = Object.values(topicsOf(pipeline))
  const answer = await ask(broker, DELETE_TOPICS, Buffer.concat([list(topics), int32(TIMEOUT_MS)]))
  await ask(broker, DELETE_GROUPS, list([workersGroup(pipeline)])) // a run that committed no offset has no group
  return errorsOf(answer).every(error => error === NO_ERROR || error === UNKNOWN_TOPIC)
}

function list(values: readonly string[]): Buffer {
  return Buffer.concat([int32(values.length), ...values.map(text)])
}

/** Reads a DeleteTopics response, version 1: throttle time, then a name and an error code for each topic. */
function errorsOf(answer: Buffer): number[] {
  const count = answer.readInt32BE(4)
  let at = 8
  return Array.from({ length: count }, () => {
    at += 2 + answer.readInt16BE(at) + 2
    return answer.readInt16BE(at - 2)
  })
}
