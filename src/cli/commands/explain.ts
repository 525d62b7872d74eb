import { ERRORS, type ErrorCode } from '../../errors.ts'
import { packageFile } from '../../support/package-file.ts'
import { defineCommand } from '../command.ts'
import { errorEntries } from '../error-page.ts'
import { printJson } from '../json-output.ts'
import { print } from '../standard-output.ts'

const JSON_SHAPE = {
  line: 'the code',
  fields: {
    code: 'the error code',
    exit: 'the exit code of a command that ends with it',
    after: 'how the job continues: resume, repair, repair-replay (a repair, in a later attempt only) or never',
    meaning: 'what happened',
    cause: 'why it happens',
    cure: 'what to do',
    example: 'a message with this code',
  },
}

export const explainCommand = defineCommand({
  name: 'explain',
  doc: 'explain an error code: what it means, its cause and its cure',
  operands: [
    {
      name: 'CODE',
      doc: 'the code in brackets at the end of a message',
      choices: Object.keys(ERRORS),
      synonyms: { BATCH_TIMEOUT: 'CLASSIFIER_TIMEOUT' }, // people know its option, --batch-timeout
    },
  ],
  example: 'rowmill explain OUTPUT_LOCKED',
  options: ['output'],
  json: JSON_SHAPE,
  async act([code], { output }) {
    const entry = errorEntries(packageFile('docs/errors.md')).find(found => found.code === code)!
    const { outcome, meaning, cause, cure, example } = entry
    const { exit, after } = ERRORS[code as ErrorCode]
    if (output === 'json') printJson(JSON_SHAPE, [{ ...entry, exit, after }])
    else print(`${code}\n${outcome}\n\n${meaning}\n\nCause:   ${cause}\nCure:    ${cure}\nExample: ${example}\n`)
    return 0
  },
})
