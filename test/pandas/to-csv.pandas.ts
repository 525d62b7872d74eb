import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { checkToCsv } from '../../src/pandas/to-csv.ts'
import { python } from '../helpers/python.ts'

test('every argument of the installed to_csv is known', () => {
  const script = 'import inspect, pandas; print(*inspect.signature(pandas.DataFrame.to_csv).parameters)'
  const names = execFileSync(python, ['-c', script], { encoding: 'utf8' }).trim().split(' ')
  assert.ok(names.includes('na_rep'))
  for (const name of names.filter(each => each !== 'self')) {
    assert.throws(() => checkToCsv({ [name]: { no: 'such value' } }), {
      code: 'USAGE',
      message: /cannot be honoured|expected|it must be/,
    })
  }
})
