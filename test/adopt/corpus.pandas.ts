/**
 * Old programs as people write them. For each, what `rowmill adopt --dry-run` prints is in corpus/expected. Where adopt says
 * that it is done, the cut is proved: over the whole file it gives the bytes of the old program.
 *
 * ROWMILL_TEST_WRITE=1 writes corpus/expected anew. Read the difference before you commit it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type ProgramReading, readProgram } from '../../src/adopt/read-program.ts'
import { describeModule, describeReading, moduleOf } from '../../src/cli/adopted-command.ts'
import { python } from '../helpers/python.ts'

const CORPUS = join(import.meta.dirname, 'corpus')
const EXPECTED = join(CORPUS, 'expected')
const ADOPT = join(import.meta.dirname, '../../src/adopt')
const PROVE = join(import.meta.dirname, 'prove.py')
const PROGRAMS = readdirSync(CORPUS).filter(name => /\.(py|ipynb)$/.test(name))

/** Programs that need a look, and how they are run: what the user would fill in. Their cut is proved too. */
const FILLED_IN: Readonly<Record<string, readonly string[]>> = {
  'after_the_write.py': [],
  'args_handed_on.py': [],
  'argparse_paths.py': ['orders.csv'],
  'cache.py': [],
  'called_twice.py': [],
  'chain_with_table.py': [],
  'chunks_joined.py': [],
  'class_steps.py': [],
  'counter.py': [],
  'early_return.py': [],
  'filter.py': [],
  'from_import.py': [],
  'global_frame.py': [],
  'globals.py': [],
  'groups.py': [],
  'imported_ranks.py': [],
  'imported_signs.py': [],
  'lasting_state.py': [],
  'lookup.py': [],
  'merged.py': [],
  'new_frame.py': [],
  'notebook.ipynb': [],
  'object_set_up.py': [],
  'retry_function.py': [],
  'retry_loop.py': [],
  'side_call.py': [],
  'signs_inside.py': [],
  'try_columns.py': [],
  'two_outputs.py': [],
  'walrus.py': [],
}
/** Done, but not proved here, with the reason. */
const NOT_PROVED: Readonly<Record<string, string>> = {
  'append_mode.py': 'both jobs append to one file',
  'logging_setup.py': 'it needs the package tqdm',
  'stdout.py': 'it writes to standard output',
}

const folder = mkdtempSync(join(tmpdir(), 'rowmill-adopt-'))
const home = process.cwd()
const readings = new Map<string, ProgramReading>()

before(async () => {
  cpSync(CORPUS, folder, { recursive: true })
  cpSync(join(CORPUS, 'data'), folder, { recursive: true })
  process.chdir(folder) // the programs and their data are given as a user gives them: by name
  for (const program of PROGRAMS)
    readings.set(program, await readProgram(program, { module: moduleOf(program), python }))
})
after(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true })
})

/** What the command prints with --dry-run. */
function printed(program: string): string {
  const reading = readings.get(program)!
  const { found } = reading
  return describeReading(program, reading, found?.module ? describeModule(moduleOf(program), found, 'dry run') : null)
}

for (const program of PROGRAMS) {
  test(`adopt of ${program} prints what corpus/expected has`, () => {
    const file = join(EXPECTED, program.replace(/\.\w+$/, '.txt'))
    if (process.env['ROWMILL_TEST_WRITE']) {
      mkdirSync(EXPECTED, { recursive: true })
      writeFileSync(file, printed(program))
    }
    assert.equal(printed(program), readFileSync(file, 'utf8'))
  })
}

test('the corpus has at least 40 programs, and at least 25 of them are done', () => {
  assert.ok(PROGRAMS.length >= 40)
  assert.ok([...readings.values()].filter(({ done }) => done).length >= 25)
})

test('the files of src/adopt parse as Python 3.8', () => {
  const script = `
import ast, glob, sys
for file in glob.glob(sys.argv[1] + '/*.py'):
    ast.parse(open(file, encoding='utf-8').read(), feature_version=(3, 8))
    print(file)`
  const { stdout, stderr } = spawnSync(python, ['-c', script, ADOPT], { encoding: 'utf8' })
  assert.ok(stdout.trim().split('\n').length > 5, stderr)
  assert.equal(stderr, '')
})

test('each cut gives the bytes of the old program', () => {
  const proved = PROGRAMS.filter(program => !(program in NOT_PROVED)).filter(
    program => readings.get(program)!.done || program in FILLED_IN,
  )
  const cases = proved.map(program => {
    const { read, write, classifier, module } = readings.get(program)!.found!
    if (module) writeFileSync(moduleOf(program), module)
    const files = { input: read.file ?? 'orders.csv', output: write.file ?? 'out.csv' }
    return { program, arguments: FILLED_IN[program] ?? [], read: read.call, write: write.call, classifier, ...files }
  })
  const { stdout, stderr } = spawnSync(python, [PROVE], { input: JSON.stringify(cases), encoding: 'utf8' })
  const differences = JSON.parse(stdout || 'null') as (string | null)[] | null
  assert.ok(differences, stderr)
  const failed = proved.flatMap((program, index) => (differences[index] ? [`${program}: ${differences[index]}`] : []))
  assert.deepEqual(failed, [])
})
