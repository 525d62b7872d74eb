import type { OutgoingMessage } from '../../src/kafka/index.ts'
import type { Take } from '../../src/kafka/leader-requests.ts'
import { RequestRoom } from '../../src/kafka/request-room.ts'

/** As many as a request of ours has. */
const ROOM = { bytes: 1_000_000, messages: 2000 }

/** The messages that a sender gives, with those that it is given in the same turn, as if they had a request of their own. */
export async function taken(given: readonly OutgoingMessage[] | Take): Promise<readonly OutgoingMessage[]> {
  await null
  return typeof given === 'function' ? given(new RequestRoom(ROOM)) : given
}
