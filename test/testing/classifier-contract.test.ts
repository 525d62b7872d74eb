/** `testClassifier`: a function of single rows passes it, and one that breaks a rule does not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Classifier, testClassifier } from '../../src/testing.ts'

const columns = ['ID', 'A']
const rows = Array.from({ length: 30 }, (_, id) => [`${id}`, ['good', 'fine', 'bad'][id % 3]!])
const BAD = rows.flatMap(([, a], seq) => (a === 'bad' ? [seq] : []))
const tried = { columns, rows, onOutput: () => {} }

const lengths: Classifier = batch => batch.map(row => [...row, row.join('').length])
const throwsAtBad: Classifier = batch => {
  if (batch.some(([, a]) => a === 'bad')) throw new Error('a bad row')
  return lengths(batch, columns)
}

test('a function of single rows keeps the contract', () => testClassifier({ ...tried, classifier: lengths }))

test('a function that rejects exactly the rows it names keeps the contract', () =>
  testClassifier({ ...tried, classifier: throwsAtBad, rejects: BAD }))

test('a function that is not repeatable keeps the contract if it says so', async () => {
  let calls = 0
  const classifier: Classifier = batch => batch.map(row => [...row, String(calls++ < 0)])
  await testClassifier({ ...tried, classifier, repeatable: false })
})

let called = 0
for (const [fault, rule, classifier, more] of [
  ['rejects rows', 'every row has a result', throwsAtBad, {}],
  ['does not reject what it says', 'every row has a result', lengths, { rejects: BAD }],
  ['leaves rows out', 'every row has a result', (batch => batch.filter(([, a]) => a !== 'bad')) as Classifier, {}],
  [
    'looks at the rows beside',
    'rows do not depend on each other',
    (batch => batch.map(row => [...row, `${batch.length}`])) as Classifier,
    {},
  ],
  [
    'gives something else each time',
    'the same rows give the same results',
    (batch => batch.map(row => [...row, `${called++}`])) as Classifier,
    {},
  ],
  [
    'needs a row',
    'a job without rows completes',
    (batch => {
      if (batch.length === 0) throw new Error('no rows')
      return batch
    }) as Classifier,
    {},
  ],
] as const) {
  test(`a function that ${fault} breaks the rule: ${rule}`, async () => {
    await assert.rejects(testClassifier({ ...tried, classifier, ...more }), ({ message }) =>
      message.includes(`\n- ${rule}: `),
    )
  })
}
