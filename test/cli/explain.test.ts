/** `rowmill explain CODE`, which prints the entry of docs/errors.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorEntries } from '../../src/cli/error-page.ts'
import { ERRORS } from '../../src/errors.ts'
import { packageFile } from '../../src/support/package-file.ts'
import { rowmill } from '../helpers/cli.ts'

const ENTRIES = errorEntries(packageFile('docs/errors.md'))

test('every error code has an entry with a meaning, a cause, a cure and an example, and no Markdown', () => {
  assert.deepEqual(ENTRIES.map(({ code }) => code).sort(), Object.keys(ERRORS).sort())
  for (const entry of ENTRIES) {
    for (const [field, text] of Object.entries(entry)) {
      assert.notEqual(text, '', `${entry.code} ${field}`)
      assert.doesNotMatch(text, /`|\*\*|\]\(|\n|##/, `${entry.code} ${field}`)
    }
  }
})

test('explain prints what a code means, its cause, its cure and an example', async () => {
  const { code, stdout } = await rowmill(['explain', 'INPUT_FIELDS'])
  assert.equal(code, 0)
  assert.match(stdout, /^INPUT_FIELDS\nExit 1 · resume: no\n\nA row has more cells than the header, /)
  assert.match(stdout, /^Cause: {3}a cell that holds the separator .*\(which: docs\/csv\.md\)\.$/m)
  assert.match(stdout, /^Cure: {4}quote the cell\. .*--read-csv/m)
  assert.match(stdout, /^Example: rowmill: rows\.csv, line 9: .*\[INPUT_FIELDS\]\n$/m)
})

test('a link in a sentence has its page in parentheses, and one that is in parentheses has it after a colon', () => {
  for (const { code, cause, cure, meaning } of ENTRIES)
    for (const text of [cause, cure, meaning]) assert.doesNotMatch(text.replaceAll(/\([^()]*\)/g, ''), /docs\//, code)
  const { cause } = ENTRIES.find(entry => entry.code === 'BATCH_DEPENDENT')!
  assert.match(cause, /the probe \(docs\/classifiers\.md\)/i)
})

test('explain -o json prints one object, with the exit code as a number', async () => {
  const { code, stdout } = await rowmill(['explain', 'TIMEOUT', '-o', 'json'])
  assert.equal(code, 0)
  const { meaning, cause, cure, example } = ENTRIES.find(entry => entry.code === 'TIMEOUT')!
  assert.deepEqual(JSON.parse(stdout), { code: 'TIMEOUT', exit: 124, after: 'resume', meaning, cause, cure, example })
  assert.equal(stdout.indexOf('\n'), stdout.length - 1)
})

test('explain refuses a word that is no code with the nearest code', async () => {
  const { code, stdout, stderr } = await rowmill(['explain', 'OUTPUT_LOCKD'])
  assert.deepEqual([code, stdout], [2, ''])
  assert.equal(stderr, 'rowmill: "OUTPUT_LOCKD" is no CODE. Did you mean OUTPUT_LOCKED? [USAGE]\n')
})

test('explain takes a code in lower case, and one that was pasted with its brackets', async () => {
  const { stdout: expected } = await rowmill(['explain', 'OUTPUT_LOCKED'])
  for (const word of ['output_locked', '[OUTPUT_LOCKED]']) {
    const { code, stdout } = await rowmill(['explain', word])
    assert.deepEqual([code, stdout], [0, expected])
  }
})

test('explain with a word that is near no code lists all of them, and completion without a known shell lists the shells', async () => {
  const { code, stderr } = await rowmill(['explain', 'qqq'])
  assert.equal(code, 2)
  for (const known of Object.keys(ERRORS)) assert.ok(stderr.includes(known), known)
  const shells = await rowmill(['completion', 'powershell'])
  assert.equal(shells.code, 2)
  assert.equal(shells.stderr, 'rowmill: "powershell" is no SHELL. It is one of bash, zsh, fish [USAGE]\n')
})

test('the help of rowmill says where the codes are explained', async () => {
  const { stdout } = await rowmill(['--help'])
  assert.match(stdout, /ends with a code in brackets\. rowmill explain CODE/)
})

test('explain knows the word of --batch-timeout too', async () => {
  const { code, stdout } = await rowmill(['explain', 'BATCH_TIMEOUT'])
  assert.equal(code, 0)
  assert.match(stdout, /^CLASSIFIER_TIMEOUT\n/)
})
