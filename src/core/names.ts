import { RowmillError } from '../errors.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Whether it can be a pipeline or job id. */
export function isName(name: string): boolean {
  return NAME.test(name)
}

/** Throws USAGE unless `name` can be a pipeline or job id. */
export function checkName(what: string, name: string): void {
  if (isName(name)) return
  throw new RowmillError(
    'USAGE',
    `${what} ${JSON.stringify(name)}: use 1 to 100 letters, digits, dots, _ and -, a letter or digit first`,
    {
      name,
    },
  )
}
