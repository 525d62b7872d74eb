import assert from 'node:assert/strict'
import { test } from 'node:test'
import { python } from './serial.ts'

const FOUND: Record<string, RegExp> = {
  wrong_format: /column 'd', row 1 \(line 3\): the whole file gives .*2024-01-02.* gives .*2024-02-01/,
  wrong_dtype: /the dtype of column 'id': the whole file gives int64, .* gives float64/,
  wrong_width: /the dtype of column 'id': .* gives int32/,
  wrong_word: /column 'name', row 2 \(line 4\): the whole file gives nan, .* gives '-'/,
  no_words: /./,
  text_for_bool: /column 'flag', row 0 .* gives True, .* gives 'True'/,
  wrong_type: /column 'flag', row 0 .* gives True, .* gives 'True'/,
  object_for_text: /the dtype of column 'name'/,
  wrong_categories: /the dtype of column 'c'/,
  another_cell: /the dtype of column 'id'/,
  wrong_label: /the names of the columns/,
  no_index: /the index: the whole file gives RangeIndex/,
  wrong_sign: /column 'z', row 1 .* gives -0\.0, .* gives -0\.1/,
  other_pandas:
    /read by pandas \d\.\d+, and \S+ has pandas \d\.\d+\.\d+(?: with pyarrow)?, which may read them otherwise\. Give this worker/,
}

test('the proof finds every recipe with one thing wrong, and nothing in the right one', async () => {
  const { right, ...answers } = JSON.parse(await python('tampered.py', [])) as Record<string, string | null>
  assert.equal(right, null)
  assert.deepEqual(Object.keys(answers), Object.keys(FOUND))
  for (const [name, message] of Object.entries(FOUND)) assert.match(answers[name] ?? 'found nothing', message, name)
})
