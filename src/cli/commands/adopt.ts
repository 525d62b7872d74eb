import { readFile, writeFile } from 'node:fs/promises'
import { type FoundJob, type ProgramReading, readProgram } from '../../adopt/read-program.ts'
import { RowmillError } from '../../errors.ts'
import type { OptionValues } from '../../options.ts'
import { printable } from '../../support/printable.ts'
import { adoptedCommand, describeModule, describeReading, moduleOf } from '../adopted-command.ts'
import { defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { withinLimits } from '../limits.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { print } from '../standard-output.ts'

const NEEDS_A_LOOK = 1

const JSON_SHAPE = {
  line: 'the program',
  fields: {
    program: 'the program',
    done: 'true if the command does what the program did, false if a line needs a look',
    command: 'the command; null if there is none yet',
    input: 'the file that the program reads; null if its text does not tell it: the command has IN then',
    output: 'the file that the program writes; null if its text does not tell it: the command has OUT then',
    classifier: 'the value of --classifier',
    read: 'the value of --read',
    write: 'the value of --write',
    rows: 'the value of --rows: any if the work drops or multiplies rows',
    module: 'the new module; null if the program has a function that can be named as it is',
    moduleText: 'the text of the new module, or null',
    notes: 'kind (look, sign of other rows, or note), line, place and text of each note',
  },
}

const OPTIONS = ['python', 'force', 'dryRun', 'output', ...LOG_OPTIONS] as const

export const adoptCommand = defineCommand({
  name: 'adopt',
  doc: 'read an old program, run nothing of it, and print the command that does its job; exits 1 if a line needs a look',
  operands: [{ name: 'PROGRAM', doc: 'a Python program that reads a CSV file, or a notebook (.ipynb)' }],
  example: 'rowmill adopt old_job.py',
  options: OPTIONS,
  docs: {
    python: 'the Python interpreter of the program; it needs no pandas here',
    force: 'replace the new module if it exists',
    dryRun: 'print the new module, and write nothing',
  },
  json: JSON_SHAPE,
  async act([program], options) {
    const reading = await withinLimits(
      { timeout: null, quiet: options.quiet },
      'before the program was read',
      session => readProgram(program!, { module: moduleOf(program!), python: options.python, signal: session.signal }),
    )
    const module = await handOut(program!, reading.found, options)
    if (options.output === 'json') printJson(JSON_SHAPE, [asJson(program!, reading)])
    else print(printable(describeReading(program!, reading, module)))
    return reading.done ? 0 : NEEDS_A_LOOK
  },
})

/** Writes the new module, or shows it. Returns a sentence about it. Throws OUTPUT_EXISTS. */
async function handOut(
  program: string,
  found: FoundJob | null,
  { dryRun, force }: OptionValues<(typeof OPTIONS)[number]>,
): Promise<string | null> {
  if (!found?.module) return null
  const path = moduleOf(program)
  if (dryRun) return describeModule(path, found, 'dry run')
  if ((await readFile(path, 'utf8').catch(() => null)) === found.module) return describeModule(path, found, 'the same')
  try {
    await writeFile(path, found.module, { flag: force ? 'w' : 'wx' })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'EEXIST')
      throw new RowmillError('OUTPUT_FAILED', `module ${path} cannot be written: ${message}`, { path }, { cause })
    const text = `module ${path} exists. Replace it with --force, or see the new one with --dry-run`
    throw new RowmillError('OUTPUT_EXISTS', text, { path }, { cause })
  }
  return describeModule(path, found, 'written')
}

function asJson(program: string, { found, notes, done }: ProgramReading) {
  return {
    program,
    done,
    command: found && adoptedCommand(found),
    input: found?.read.file ?? null,
    output: found?.write.file ?? null,
    classifier: found?.classifier ?? null,
    read: found?.read.call ?? null,
    write: found?.write.call ?? null,
    rows: found?.rows ?? null,
    module: found?.module ? moduleOf(program) : null,
    moduleText: found?.module ?? null,
    notes,
  }
}
