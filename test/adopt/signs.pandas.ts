/** What adopt says of small bodies of work: which look at other rows, which drop rows, which look at each row alone. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readProgram } from '../../src/adopt/read-program.ts'
import { python } from '../helpers/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'rowmill-signs-'))
before(() => {
  cpSync(join(import.meta.dirname, 'signs.csv'), join(folder, 'orders.csv'))
})
after(() => rmSync(folder, { recursive: true }))

test('adopt is never done in silence where a result depends on other rows, and is done where it does not', () => {
  const words = [join(import.meta.dirname, 'signs.py'), join(import.meta.dirname, '../../src/adopt')]
  const { stdout, stderr } = spawnSync(python, ['-W', 'ignore', ...words], { cwd: folder, encoding: 'utf8' })
  const answer = JSON.parse(stdout || 'null') as [string[], number] | null
  assert.ok(answer, stderr)
  assert.ok(answer[1] > 200)
  assert.deepEqual(answer[0], [])
})

const HEAD = "import pandas as pd\ndf = pd.read_csv('orders.csv')\n"
const TAIL = "df.to_csv('out.csv')\n"

test('a program of 5,000 lines, and functions and expressions nested a thousand deep, are read', async () => {
  const calls = Array.from({ length: 600 }, (_, i) => `def f${i}(x):\n    return f${i + 1}(x)\n`).join('')
  const branches = Array.from({ length: 1000 }, (_, i) => `    elif x == ${i + 1}:\n        return ${i}\n`).join('')
  const kind = `def f600(x):\n    if x == 0:\n        return 0\n${branches}`
  const others = Array.from({ length: 700 }, (_, i) => `def unused${i}(x):\n    return x\n`).join('')
  const text = `df['text'] = ${Array(1000).fill("'x'").join(' + ')}\n`
  const program = `${calls}${kind}${others}${HEAD}df['kind'] = df['qty'].map(f0)\n${text}${TAIL}`
  assert.ok(program.split('\n').length > 4500)
  const path = join(folder, 'long.py')
  writeFileSync(path, program)
  assert.equal((await readProgram(path, { module: 'long_classifier.py', python })).done, true)
})
