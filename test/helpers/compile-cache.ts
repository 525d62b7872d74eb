/** Preloaded by `npm run test:unit`: threads, processes and later runs need not compile the sources again. */
import module from 'node:module'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../node_modules/.cache/node')
process.env['NODE_COMPILE_CACHE'] = folder
module.enableCompileCache(folder)
