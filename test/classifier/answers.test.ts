import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Answers } from '../../src/classifier/module/answers.ts'
import type { ThreadAnswer } from '../../src/classifier/module/module.ts'

/** Answers to batches, each after so many ms: how many answers each message has, and when it is sent. */
function sent(groups: readonly (readonly number[])[]): [ms: number, answers: number][] {
  const messages: [number, number][] = []
  let now = 1000
  const port = { postMessage: (answers: readonly unknown[]) => void messages.push([now - 1000, answers.length]) }
  const answers = new Answers(port, () => now)
  for (const group of groups) {
    now += 100 // nothing comes for a while
    answers.begin()
    for (const ms of group) {
      now += ms
      answers.add({ results: new ArrayBuffer(1), lengths: [1] } satisfies ThreadAnswer)
    }
    answers.send()
  }
  return messages
}

test('answers to batches that came together go back in one message', () => {
  assert.deepEqual(sent([[0.25, 0.25, 0.25], [0.25], []]), [
    [100.75, 3],
    [201, 1],
  ])
})

test('no answer of a slow classifier waits for the next one', () => {
  assert.deepEqual(sent([[10, 10, 10]]), [
    [110, 1],
    [120, 1],
    [130, 1],
  ])
})

test('an answer waits no longer than 2 ms and the call that is under way then', () => {
  assert.deepEqual(sent([[1, 1, 1, 1]]), [
    [103, 3],
    [104, 1],
  ])
})
