import { basename, extname } from 'node:path'
import type { FoundJob, ProgramNote, ProgramReading } from '../adopt/read-program.ts'
import { counted } from '../support/counted.ts'
import { quoteForShell } from '../support/shell.ts'

const HEADS: Readonly<Record<ProgramNote['kind'], string>> = {
  look: 'Needs a look:',
  sign: 'Seems to look at other rows:',
  note: 'Good to know:',
}

/** The command that does the job of the program. IN and OUT stand for files that the program does not tell. */
export function adoptedCommand(found: FoundJob): string {
  const files = [found.read.file ?? 'IN', found.write.file ?? 'OUT'].map(quoteForShell)
  return commandLines(['rowmill run', ...files], found).join(NEXT)
}

/** Where a long command goes on in the next line. */
const NEXT = ' \\\n  '

function commandLines(words: readonly string[], { read, write, classifier, rows }: FoundJob): string[] {
  const calls = [`--read ${quoteCall(read.call)}`, `--write ${quoteCall(write.call)}`]
  const any = rows === 'any' ? ['--rows any'] : []
  return [words.join(' '), `--classifier ${quoteForShell(classifier)}`, ...calls, ...any]
}

/** The file of the new module: beside the program, old_job_classifier.py for old_job.py. */
export function moduleOf(program: string): string {
  return `${program.slice(0, program.length - extname(program).length)}_classifier.py`
}

/** What became of the new module. A dry run shows it. */
export function describeModule(path: string, found: FoundJob, outcome: 'written' | 'the same' | 'dry run'): string {
  const has = `the work between these lines as the function ${found.classifier.split(':').at(-1)}`
  if (outcome === 'written') return `${path} is new. It has ${has}.`
  if (outcome === 'the same') return `${path} already has ${has}.`
  return `${path} would have ${has}:\n\n${found.module!.trimEnd().replaceAll(/^(?=.)/gm, '    ')}`
}

/** The command that finds out whether the function looks at one row at a time. */
export function checkCommand(found: FoundJob): string {
  return commandLines(['rowmill check', quoteForShell(found.read.file ?? 'IN')], found).join(NEXT)
}

/** Python has single quotes more often than double ones, so double quotes are easier to read where a shell takes them. */
function quoteCall(call: string): string {
  return /["$`\\!]/.test(call) ? quoteForShell(call) : `"${call}"`
}

/** What adopt found, for people. `module` says what became of the new module, in one sentence. */
export function describeReading(program: string, reading: ProgramReading, module: string | null): string {
  const { found, notes, done } = reading
  const name = basename(program)
  const head = found
    ? [
        `${name} reads the frame at ${found.read.place} and writes it at ${found.write.place}.`,
        ...(module === null ? [] : [module]),
        '',
        adoptedCommand(found),
        '',
      ]
    : [`${name}: there is no command for it yet.`, '']
  return [...head, ...describeNotes(reading), lastLine(notes, found, done), ''].join('\n')
}

function describeNotes({ found, notes }: ProgramReading): string[] {
  const kinds = (Object.keys(HEADS) as ProgramNote['kind'][]).filter(kind => notes.some(note => note.kind === kind))
  return kinds.flatMap(kind => {
    const lines = notes.filter(note => note.kind === kind).map(({ place, text }) => `  ${place}: ${text}`)
    const advice = kind === 'sign' && found ? ['', 'This finds out whether it does:', '', checkCommand(found)] : []
    return [HEADS[kind], ...lines, ...advice, '']
  })
}

function lastLine(notes: readonly ProgramNote[], found: FoundJob | null, done: boolean): string {
  if (done) return 'Done: the command does what the program did.'
  const open = notes.filter(({ kind }) => kind !== 'note').length
  if (!found) return 'Not done: change the program as said above, and adopt it again.'
  return `Not done: ${counted(open, 'line')} above ${open === 1 ? 'needs' : 'need'} a look before you run the command.`
}
