import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentOf, OPTIONS, type OptionSpec } from '../src/options.ts'
import { parseOption } from '../src/parse-option.ts'

test('the environment variable of an option follows from its flag', () => {
  assert.equal(environmentOf(OPTIONS.batchRows), 'ROWMILL_BATCH_ROWS')
})

test('values within the bounds are taken as they are', () => {
  assert.equal(parseOption(OPTIONS.workers, '--workers', '8'), 8)
  assert.deepEqual(parseOption(OPTIONS.brokers, '--brokers', 'a:1, b:65535'), ['a:1', 'b:65535'])
  assert.equal(parseOption(OPTIONS.schemaRegistry, '--schema-registry', 'https://u:p@h/a'), 'https://u:p@h/a')
  assert.deepEqual(parseOption(OPTIONS.readCsv, '--read-csv', '{"sep": ";"}'), { sep: ';' })
})

const SWITCHES = Object.values<OptionSpec<unknown>>(OPTIONS).filter(spec => spec.value === null)

for (const spec of SWITCHES)
  test(`--${spec.flag} takes every value that docs/cli.md names, and no other`, () => {
    const variable = environmentOf(spec)
    const read = (given: string) => parseOption(spec, variable, given)
    const on = spec !== OPTIONS.progress // --no-progress turns it off
    assert.deepEqual(['true', 'yes', 'on', '1', 'YES'].map(read), Array(5).fill(on))
    assert.deepEqual(['false', 'no', 'off', '0', 'No'].map(read), Array(5).fill(!on))
    for (const given of ['maybe', '2', ''])
      assert.throws(() => read(given), {
        code: 'USAGE',
        message: new RegExp(`^${variable} "${given}": must be true or`),
      })
  })

const BAD: [OptionSpec<unknown>, string, RegExp][] = [
  [OPTIONS.workers, '1.5', /^--workers "1\.5": must be a whole number from 1 to 512$/],
  [OPTIONS.workers, '513', /from 1 to 512/],
  [OPTIONS.batchRows, '1e3', /whole number/],
  [OPTIONS.brokers, 'a:70000', /HOST:PORT/],
  [OPTIONS.brokers, '', /HOST:PORT/],
  [OPTIONS.brokers, 'kafka://a:9092', /"kafka:\/\/a:9092": must be HOST:PORT.*, without http:\/\/, user and password$/],
  [OPTIONS.brokers, 'a:1,me:x@b:2', /^--brokers "\*\*\*@b:2": must be/],
  [OPTIONS.schemaRegistryUserinfoFile, 'me:secret', /^--schema-registry-userinfo-file "\*\*\*": must name a file/],
  [OPTIONS.readCsv, '{"x":"http://me:secret@h', /^--read-csv "\{\\"x\\":\\"http:\/\/\*\*\*@h": (?!.*secret)/],
  [OPTIONS.python, '', /must not be empty/],
  [OPTIONS.schemaRegistry, 'localhost:8081', /must be an http or https URL .* such as http:\/\/HOST:8081$/],
  [OPTIONS.schemaRegistry, 'http://h/?a=b', /without \? and #/],
  [OPTIONS.schemaRegistry, 'http://me:%zz@h', /^--schema-registry "http:\/\/\*\*\*@h": must be/],
  [OPTIONS.schemaRegistry, 'http://me:p/ss@w@h:x', /^--schema-registry "http:\/\/\*\*\*@h:x": must be/],
  [OPTIONS.schemaRegistry, 'http://me:p@ss/word@h', /^--schema-registry "http:\/\/\*\*\*@h": .* percent-encoded/],
  [OPTIONS.schemaRegistry, 'me:secret@h', /^--schema-registry "\*\*\*@h": must be/],
  [OPTIONS.toCsv, '{', /JSON/],
  [OPTIONS.toCsv, 'null', /must be a JSON object/],
  [OPTIONS.quiet, 'maybe', /must be true or false/],
]

for (const [spec, value, message] of BAD) {
  test(`--${spec.flag} ${JSON.stringify(value)} is refused with flag, value and what would be right`, () => {
    assert.throws(() => parseOption(spec, `--${spec.flag}`, value), { code: 'USAGE', message })
  })
}
