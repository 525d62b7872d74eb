import { fileURLToPath } from 'node:url'

/** The interpreter of the project's virtual environment, with the pinned pandas; scripts/prepare.ts makes it. */
export const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url))
