import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogEnds } from '../../src/watch/log-ends.ts'

test('a log that ends earlier than before was made again; one that grows, and a new partition, were not', () => {
  const ends = new LogEnds()
  const at = (partition: number, offset: number) => ({ topic: 'rowmill.rows', partition, offset })
  ends.note([at(0, 7), at(1, 0)])
  ends.note([at(0, 7), at(1, 3), at(2, 0)])
  assert.throws(() => ends.note([at(0, 8), at(1, 2)]), {
    code: 'TOPIC_UNUSABLE',
    message: 'topic rowmill.rows was created again: partition 1 ended at offset 3, and ends at 2 now',
  })
})
