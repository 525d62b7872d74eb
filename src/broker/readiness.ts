import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Api, ask, type BrokerDoor, CLIENT_ID, text } from './raw-requests.ts'

const POLL_MS = 10
/** Every Kafka since 2.1 serves both versions. */
const METADATA: Api = { key: 3, version: 4 }
const FIND_COORDINATOR: Api = { key: 10, version: 1 }

/** A broker that is starting. */
export interface StartingBroker extends BrokerDoor {
  readonly clusterId: string
}

/**
 * Resolves when the broker on this port says that it is a member of the cluster `clusterId`: then topics can
 * be created and written. An open port alone proves less, since it may belong to another program.
 *
 * Then it asks once for a group coordinator, so that Kafka creates its offsets topic before the first member comes.
 * Rejects only with the reason of `signal`.
 */
export async function untilReady(broker: StartingBroker, signal: AbortSignal): Promise<void> {
  const answerTo = (api: Api, body: Buffer) => ask(broker, api, body, signal).catch(() => null)
  for (;;) {
    signal.throwIfAborted()
    const answer = await answerTo(METADATA, metadataBody())
    if (answer !== null && isMember(answer, broker.clusterId)) break
    await delay(POLL_MS, undefined, { signal })
  }
  await answerTo(FIND_COORDINATOR, coordinatorBody())
}

/** A cluster id in Kafka's format: 16 random bytes in URL-safe base64 that do not begin with a dash. */
export function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

/** The body of a request for no topics, which creates none. */
function metadataBody(): Buffer {
  return Buffer.alloc(5)
}

/** The coordinator of a group (type 0). */
function coordinatorBody(): Buffer {
  return Buffer.concat([text(CLIENT_ID), Buffer.alloc(1)])
}

/** Reads a metadata response, version 4: throttle time, brokers that are not fenced, cluster id, ... */
function isMember(answer: Buffer, clusterId: string): boolean {
  let at = 4
  const string = (): string | null => {
    const length = answer.readInt16BE(at)
    at += 2
    if (length < 0) return null
    at += length
    return answer.toString('utf8', at - length, at)
  }
  try {
    const brokers = answer.readInt32BE(at)
    at += 4
    for (let index = 0; index < brokers; index++) {
      at += 4
      string()
      at += 4
      string()
    }
    return brokers > 0 && string() === clusterId
  } catch {
    // The program that answered is not Kafka.
    return false
  }
}
