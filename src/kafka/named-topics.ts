import Encoder from 'kafkajs/src/protocol/encoder.js'
import metadata from 'kafkajs/src/protocol/requests/metadata/index.js'

/** From here on a request for metadata can ask for no topic, and from the second on it says whether to create topics. */
const CAN_ASK_FOR_NONE = 1
const SAYS_CREATE = 4

let isMended = false

/**
 * A client that has no topics yet asks for those that it names, so for none. KafkaJS asks for all topics of the cluster then,
 * and fails if anybody's topic has no leader: a topic that one dead broker alone kept would stop us. May be called more than once.
 */
export function askForNamedTopics(): void {
  if (isMended) return
  isMended = true
  const { protocol } = metadata
  metadata.protocol = ({ version }) => {
    const make = protocol({ version })
    return given => {
      const made = make(given)
      if (given.topics.length === 0 && version >= CAN_ASK_FOR_NONE)
        made.request.encode = async () => askForNone(version)
      return made
    }
  }
}

function askForNone(version: number): Encoder {
  const request = new Encoder().writeInt32(0)
  return version >= SAYS_CREATE ? request.writeBoolean(false) : request
}
