import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpenTransactions } from '../../src/kafka/open-transactions.ts'

function watched() {
  const said: string[] = []
  let now = 0
  const transactions = new OpenTransactions(
    message => said.push(message),
    () => now,
  )
  const note = (seconds: number, end: number, logEnd: number, partition = 3) => {
    now = seconds * 1000
    transactions.note({ topic: 'p.rows', partition, end, logEnd })
  }
  return { said, note }
}

test('a transaction open for 10 s is logged once, with place, start and number of waiting messages', () => {
  const { said, note } = watched()
  note(0, 17, 20)
  note(9, 17, 21)
  assert.deepEqual(said, [])
  note(10, 17, 57)
  note(30, 17, 60)
  assert.equal(said.length, 1)
  assert.match(said[0]!, /^p\.rows\[3\]: 40 messages from offset 17 on wait, .* transaction open there for 10 s/)
})

test('its end is logged only if its start was, and the next transaction is timed from zero', () => {
  const { said, note } = watched()
  note(0, 17, 20)
  note(10, 17, 20)
  note(11, 20, 25)
  assert.match(said[1]!, /^p\.rows\[3\]: the transaction that was open at offset 17 has ended$/)
  note(20, 20, 25)
  assert.equal(said.length, 2)
  note(21, 20, 25)
  assert.match(said[2]!, /from offset 20 on wait/)
  note(22, 25, 25)
  note(60, 25, 25)
  assert.equal(said.length, 4)
})

test('short transactions are not logged', () => {
  const { said, note } = watched()
  for (let second = 0; second < 100; second++) note(second, second, second + 5)
  assert.deepEqual(said, [])
})
