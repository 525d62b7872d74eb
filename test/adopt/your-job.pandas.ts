/** The old programs of docs/your-job.md: adopt finds the command that the page has. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { blocksOf } from '../helpers/page.ts'

const [scoring, ...blocks] = blocksOf('docs/your-job.md')
/** The page names a dict of arguments, and adopt keeps the call as it is. */
const READ_CALLS: Readonly<Record<string, string>> = { ':READ': 'pd.read_csv(IN, **READ)' }

/** The value of an option in a command of the page. */
function optionIn(command: string, flag: string): string {
  const [, quoted, plain] = new RegExp(`--${flag} (?:"([^"]*)"|(\\S+))`).exec(command)!
  return quoted ?? plain!
}

test('adopt of each program of docs/your-job.md gives the classifier and the calls of its command', async t => {
  const cwd = testFolder(t)
  writeFileSync(join(cwd, 'scoring.py'), scoring!.text)
  assert.ok(blocks.length >= 20)
  for (let at = 0; at < blocks.length; at += 2) {
    const command = blocks[at + 1]!.text
    writeFileSync(join(cwd, 'program.py'), blocks[at]!.text)
    const { code, stdout } = await rowmill(['adopt', 'program.py', '-o', 'json'], { cwd })
    const { done, classifier, read, write, input, output, module } = JSON.parse(stdout)
    assert.deepEqual([code, done, module], [0, true, null], stdout)
    assert.match(command, new RegExp(`^rowmill run ${input} ${output} `))
    const named = optionIn(command, 'read')
    assert.deepEqual([classifier, read], [optionIn(command, 'classifier'), READ_CALLS[named] ?? named])
    assert.equal(write, optionIn(command, 'write'))
  }
})
