import { fileURLToPath } from 'node:url'

/**
 * The interpreter of the tests: that of the project's virtual environment, with the pinned pandas (scripts/prepare-machine.ts
 * makes it), or another one, with which older-pandas.foreign.ts runs these tests.
 */
export const python =
  process.env['ROWMILL_TEST_PYTHON'] ?? fileURLToPath(new URL('../../.venv/bin/python', import.meta.url))
